"""The namespace in a real kernel: async cells, the stop button, figures, and what must not reach the cell."""

import json
import queue
import time

import pytest

pytestmark = pytest.mark.slow

SETUP = """
import asyncio, dataclasses, json
from statebook.state.namespace import Namespace
_namespace = Namespace(get_ipython())
async def _beat():
    while True:
        await asyncio.sleep(0.05)
async def _agent(code):
    beat = asyncio.ensure_future(_beat())  # ipykernel sees a signal only when its loop wakes
    try:
        outcome = await _namespace.run(code)
    finally:
        beat.cancel()
    value = dataclasses.asdict(outcome)
    value["rich"] = [[item.media_type, item.data[:8].hex(), len(item.data)] for item in outcome.rich]
    print("OUTCOME " + json.dumps(value))
"""


class Kernel:
    def __init__(self):
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def start(self, code):
        return self.client.execute(code, allow_stdin=True)

    def finish(self, sent, timeout=60):
        """All messages of the cell, and its reply."""
        messages = []
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != sent:
                continue
            messages.append((message["msg_type"], message["content"]))
            if messages[-1] == ("status", {"execution_state": "idle"}):
                break
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == sent:
                return messages, reply["content"]

    def cell(self, code):
        return self.finish(self.start(code))

    def wait_for(self, path):
        end = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < end, "the code never started"
            time.sleep(0.02)

    def agent(self, code):
        return outcome_of(*self.cell(f"await _agent({code!r})"))


def outcome_of(messages, reply):
    assert reply["status"] == "ok", reply
    shown = {kind for kind, _ in messages} - {"status", "execute_input"}
    assert shown == {"stream"}
    text = "".join(content["text"] for kind, content in messages if kind == "stream")
    assert text.startswith("OUTCOME ")
    assert text.count("\n") == 1
    return json.loads(text.removeprefix("OUTCOME "))


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    messages, reply = kernel.cell(SETUP)
    assert reply["status"] == "ok", messages
    yield kernel
    kernel.close()


def test_output_errors_and_displays_stay_out_of_the_cell(kernel):
    outcome = kernel.agent(
        "import sys\nfrom IPython.display import display, HTML\nprint('p')\nprint('e', file=sys.stderr)\n"
        "display(HTML('<i>x</i>'))\n1 / 0"
    )
    assert outcome["stdout"].startswith("p\n")
    assert outcome["stderr"] == "e\n"
    assert outcome["error_name"] == "ZeroDivisionError"
    assert outcome["error"].splitlines()[1:3] == ["  <agent 1>, line 6", "    1 / 0"]
    assert outcome["rich"][0][0] == "text/html"
    assert kernel.agent("get_ipython().run_cell('1/0');")["error_name"] == "ZeroDivisionError"


def test_inline_figures_are_captured(kernel):
    drawn = kernel.agent("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nNone")
    shown = kernel.agent("plt.plot([1, 2])\nplt.show()")
    for outcome in (drawn, shown):
        assert [(kind, start) for kind, start, _ in outcome["rich"]] == [("image/png", b"\x89PNG\r\n\x1a\n".hex())]
        assert outcome["error"] == ""


def test_the_prompt_number_follows_the_users_cells_only(kernel):
    _, before = kernel.cell("7")
    kernel.agent("a = 1\na")
    messages, after = kernel.cell("_, a")
    assert after["execution_count"] == before["execution_count"] + 2
    results = [content["data"]["text/plain"] for kind, content in messages if kind == "execute_result"]
    assert results == ["(7, 1)"]


def test_the_kernel_survives_exit_and_answers_no_questions(kernel):
    assert kernel.agent("exit()")["error_name"] == "SystemExit"
    assert kernel.agent("quit")["error_name"] == "SystemExit"
    assert kernel.agent("import sys\nsys.exit(1)")["error_name"] == "SystemExit"
    assert kernel.agent("input('?')")["error_name"] == "EOFError"
    time.sleep(0.3)  # exit() stops a kernel's loop after 0.1 s
    assert kernel.agent("1 + 1")["result"] == "2"
    with pytest.raises(queue.Empty):
        kernel.client.get_stdin_msg(timeout=0.1)


@pytest.mark.parametrize(
    "work",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(60)",
        "!sleep 60",
    ],
)
def test_the_stop_button_reaches_running_code(kernel, tmp_path, work):
    begun = tmp_path / "begun"
    code = f"print('kept')\nopen({str(begun)!r}, 'w').close()\n{work}\nprint('never')"
    sent = kernel.start(f"await _agent({code!r})")
    kernel.wait_for(begun)
    time.sleep(0.3)
    kernel.manager.interrupt_kernel()
    outcome = outcome_of(*kernel.finish(sent))
    assert outcome["interrupted"] is True
    assert outcome["stdout"].startswith("kept\n")
    if not work.startswith("!"):
        assert outcome["error_name"] == "KeyboardInterrupt"
        assert "never" not in outcome["stdout"]
    assert kernel.agent("1 + 1")["result"] == "2"


def test_the_stop_button_cancels_code_that_waits(kernel, tmp_path):
    begun, cleaned = tmp_path / "begun", tmp_path / "cleaned"
    code = (
        f"import asyncio\nopen({str(begun)!r}, 'w').close()\n"
        f"try:\n    await asyncio.sleep(60)\nfinally:\n    open({str(cleaned)!r}, 'w').close()"
    )
    sent = kernel.start(f"await _agent({code!r})")
    kernel.wait_for(begun)
    time.sleep(0.3)
    kernel.manager.interrupt_kernel()
    _, reply = kernel.finish(sent)
    assert (reply["status"], reply["ename"]) == ("error", "CancelledError")
    assert cleaned.exists()
    assert kernel.agent("1 + 1")["result"] == "2"


def test_the_handler_of_the_cell_is_back_after_the_code(kernel):
    """An interrupt after the code has ended cancels the cell, as ipykernel does it."""
    sent = kernel.start("await _agent('1')\nprint('waiting')\nfor _ in range(600): await asyncio.sleep(0.1)")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream" and "waiting" in message["content"]["text"]:
            break
    kernel.manager.interrupt_kernel()
    _, reply = kernel.finish(sent)
    assert reply["ename"] == "CancelledError"


def test_printing_200_mb_keeps_head_and_tail_in_bounded_memory(kernel):
    kernel.agent("import resource\npeak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss")
    kernel.agent("before = peak()")
    outcome = kernel.agent("line = 'x' * 999\nfor i in range(200_000): print(line)\nprint('the end')")
    assert outcome["stdout"].endswith("the end\n")
    assert len(outcome["stdout"]) < 41_000
    assert "characters cut" in outcome["stdout"]
    assert int(kernel.agent("peak() - before")["result"]) < 50_000  # KiB


def test_code_that_awaits_lets_others_speak(kernel):
    messages, reply = kernel.cell(
        "task = asyncio.ensure_future(_namespace.run('import asyncio\\nawait asyncio.sleep(0.3)\\nprint(1)'))\n"
        "await asyncio.sleep(0.1)\nfrom IPython.display import display, HTML\nprint('beside')\n"
        "display(HTML('beside'))\n(await task).stdout"
    )
    assert reply["status"] == "ok"
    kinds = [kind for kind, _ in messages if kind != "status"]
    assert kinds == ["execute_input", "stream", "display_data", "execute_result"]
    assert messages[-2][1]["data"]["text/plain"] == "'1\\n'"
