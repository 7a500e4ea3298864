"""How much later the first text is drawn than a bare `openai` client gets it from the same server."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from figures import Figure
from sizes import Sizes
from statebook.model.base import ModelSetup
from statebook.model.openai.presets import OPENAI
from statebook.protocol.journal.runs import Run
from statebook.testing import TemporarySession

PROMISE = "first token"


class _FirstText:
    """A sink that notes when it is first given text to draw."""

    def __init__(self) -> None:
        self.at = 0.0

    def update(self, run: Run) -> None:
        if run.draft and not self.at:
            self.at = time.perf_counter()

    def progress(self, run: Run, text: str) -> None:
        """Not measured."""

    def close(self, run: Run) -> None:
        """Not measured."""


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    server = Path(__file__).with_name("token_server.py")
    process = subprocess.Popen([sys.executable, str(server)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        home = folder / "first"
        home.mkdir()
        bare, whole = asyncio.run(_both(home, url, sizes.tokens))
    finally:
        process.terminate()
        process.wait(10)
    late = statistics.median(two - one for one, two in zip(bare, whole, strict=True))
    beside = f"{statistics.median(whole):.1f} ms beside {statistics.median(bare):.1f} ms"
    return [Figure(PROMISE, "first text drawn, later than a bare client gets it", late, "ms", beside, 5)]


async def _both(folder: Path, url: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the asking to the first text: a bare client, and a cell from its start to its sink."""
    import openai

    bare, whole = [], []
    client = openai.AsyncOpenAI(api_key="none", base_url=url)
    model = OPENAI("test", ModelSetup({}, url))
    with TemporarySession(model=model, folder=folder) as session:
        await _cell(session, -1)
        await _bare(client)
        for index in range(times):
            bare.append(await _bare(client))
            whole.append(await _cell(session, index))
    await client.close()
    return bare, whole


async def _bare(client: Any) -> float:
    began = time.perf_counter()
    took = 0.0
    async for event in await client.responses.create(model="test", input="Say something.", stream=True):
        if event.type == "response.output_text.delta" and not took:
            took = (time.perf_counter() - began) * 1000
    return took


async def _cell(session: TemporarySession, index: int) -> float:
    sink = session.sink = _FirstText()
    began = time.perf_counter()
    await session.ask(f"Say something, for the {index}th time.")
    return (sink.at - began) * 1000
