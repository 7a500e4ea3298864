"""What every peer shares: the prompt, the two tools and the road to the supervisor; the standard library only."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

PROMPT = "Look the address up, send the first and the second letter, then the third, and say when all are sent."
LOOK = "Look an address up."
SEND = "Send a letter. It can't be taken back."
ONE_WORD = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": text, "parameters": ONE_WORD}}
    for name, text in (("look", LOOK), ("send", SEND))
]
"""The tools as Chat Completions takes them, for peers whose documentation lets one call the client oneself."""


class World:
    """One workflow's folder, its model server, and what its tools do outside.

    ``key`` is whatever the peer hands a tool to tell this call from any other.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.model_url = f"{url}/v1"

    def look(self, word: str, key: str) -> str:
        """The tool that only reads."""
        self.tell("before", word=word, key=key)
        return f"{word}: 1 Example Street"

    def send(self, word: str, key: str) -> str:
        """The tool that writes: one line in the ledger outside, with one system call."""
        self.tell("before", word=word, key=key)
        line = json.dumps({"word": word, "key": key, "process": os.getpid()}) + "\n"
        handle = os.open(self.folder / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
        self.tell("acted", word=word, key=key)
        self.tell("returning", word=word, key=key)
        return f"{word}: sent"

    async def look_async(self, word: str, key: str) -> str:
        """`look`, beside other calls of the same event loop."""
        return await asyncio.to_thread(self.look, word, key)

    async def send_async(self, word: str, key: str) -> str:
        """`send`, beside other calls of the same event loop."""
        return await asyncio.to_thread(self.send, word, key)

    def ask(self, kind: str, word: str) -> str:
        """Put a question to the person: ``in_doubt`` -> happened or retry; ``approval`` -> allow."""
        return self.tell("question", kind=kind, word=word)

    def tell(self, what: str, **said: str) -> str:
        """Tell the supervisor where the process is, and wait for its word; it may never come."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        connection.request("POST", f"{where.path}/outside", json.dumps({"what": what, **said}))
        reply = connection.getresponse().read().decode()
        connection.close()
        return reply


def main(start: Callable[[World], str], resume: Callable[[World], str]) -> None:
    """Live as often as the supervisor says: one line of JSON on stdin is one life, in a process forked for it.

    Forked, because importing a framework takes longer than all the rest. What a life says on stdout and stderr goes
    to its log; its answer, when there is one, is left in ``FOLDER/answer``.
    """
    for line in sys.stdin:
        life = json.loads(line)
        process = os.fork()
        if not process:
            _live(life, start if life["mode"] == "start" else resume)
            return
        print(process, flush=True)
        os.waitpid(process, 0)
        print("over", flush=True)


def _live(life: dict[str, str], work: Callable[[World], str]) -> None:
    folder = Path(life["folder"])
    os.chdir(folder)
    log = os.open(life["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, handle in ((0, nothing), (1, log), (2, log)):
        os.dup2(handle, number)
    world = World(folder, life["url"])
    os.environ |= {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": world.model_url}
    answer = work(world)
    (folder / "answer").write_text(answer, encoding="utf-8")
