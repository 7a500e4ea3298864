"""SIGKILL while aimock streams: the next kernel asks for the unfinished step alone, in the same bytes."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from .sound import check_prefix, check_requests

pytestmark = pytest.mark.slow

SETUP = '''
%load_ext statebook
import statebook
@statebook.tool(effect="read")
def look(word: str) -> str:
    """Look a word up."""
    open("ledger.txt", "a").write(word + "\\n")
    return f"found {word}"
'''
ANSWER = "What was looked up is told here in so many words that it can be cut in the middle of the telling."


class Kernel:
    """One kernel on a notebook, as Jupyter Server starts it."""

    def __init__(self, notebook, url):
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        settings = {"OPENAI_BASE_URL": f"{url}/v1", "STATEBOOK_MODEL": "openai:gpt-5.5"}
        env = {**os.environ, "JPY_SESSION_NAME": str(notebook), **settings}
        self.manager.start_kernel(cwd=str(notebook.parent), env=env)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code, stop=None):
        """Everything a cell shows; ``stop`` looks at it as it grows and may end the waiting."""
        sent, shown, end = self.client.execute(code), "", time.monotonic() + 60
        while time.monotonic() < end:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            shown += content.get("data", {}).get("text/html", "") + content.get("text", "")
            shown += "\n".join(content.get("traceback", []))
            if content.get("execution_state") == "idle" or (stop and stop(shown)):
                return shown
        raise AssertionError(f"the cell did not end: {shown}")

    def kill(self):
        process = self.manager.provisioner.process
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel_on(tmp_path, relay):
    started = []
    notebook = tmp_path / "book.ipynb"
    notebook.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))

    def start():
        started.append(Kernel(notebook, relay.url))
        return started[-1]

    yield start
    for kernel in started:
        kernel.close()


def test_a_kill_in_the_middle_of_a_stream(kernel_on, aimock, relay, tmp_path):
    calls = [{"name": "look", "arguments": {"word": word}} for word in ("this", "that")]
    first = {"reasoning": "Two words to look up.", "toolCalls": calls}
    last = {"match": {"userMessage": "words", "hasToolResult": True}, "response": {"content": ANSWER}}
    aimock.answers({**last, "latency": 400}, {"match": {"userMessage": "words"}, "response": first})
    kernel = kernel_on()
    kernel.run(SETUP)
    assert "What was" in kernel.run("%%agent\nLook the words up.", stop=lambda shown: "What was" in shown)
    kernel.kill()
    asked = len(relay.posts)
    aimock.reset()
    aimock.answers(last)

    kernel = kernel_on()
    kernel.run(SETUP)
    assert ANSWER in kernel.run("%agent resume")
    assert sorted((tmp_path / "ledger.txt").read_text().split()) == ["that", "this"]
    assert len(relay.posts) == asked + 1
    assert relay.posts[-1].raw == relay.posts[-2].raw
    check_requests(relay.posts)
    check_prefix(relay.posts)
    partial = kernel.run("print([m.partial for m in get_ipython()._statebook.magics.session().run(1).models])")
    assert "What was" in partial
