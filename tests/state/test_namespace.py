"""Code in the user's namespace: results, variables, errors, and nothing left behind."""

import asyncio
import builtins
import inspect
import logging
import signal
import sys
import threading

import pytest
from IPython.core.interactiveshell import InteractiveShell
from statebook.errors import ToolError
from statebook.state.namespace import Namespace


def test_output_result_and_changed_names(run, shell):
    shell.user_ns.update(x=[1], kept="k")
    outcome = run("import sys\nprint('out')\nprint('err', file=sys.stderr)\nx = 2\n_hidden = 3\ny = x + 1\ny")
    assert (outcome.stdout, outcome.stderr, outcome.result) == ("out\n", "err\n", "3")
    assert outcome.changed == ("x", "sys", "y")
    assert outcome.error == ""
    assert shell.user_ns["y"] == 3


def test_nothing_of_the_shell_is_disturbed(run, shell, capsys):
    shell.run_cell("41 + 1", store_history=True)
    capsys.readouterr()
    watched = {
        "count": lambda: shell.execution_count,
        "In": lambda: list(shell.user_ns["In"]),
        "Out": lambda: dict(shell.user_ns["Out"]),
        "_": lambda: shell.user_ns["_"],
        "stdout": lambda: sys.stdout,
        "hook": lambda: sys.displayhook,
        "input": lambda: builtins.input,
        "publisher": lambda: shell.display_pub,
        "sigint": lambda: signal.getsignal(signal.SIGINT),
        "instance": lambda: sorted(vars(shell)),
    }
    before = {name: look() for name, look in watched.items()}
    run("1 / 0")
    run("'shown'")
    assert {name: look() for name, look in watched.items()} == before
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_semicolon_hides_the_result(run):
    assert run("1 + 1;").result == ""


def test_rich_results_and_displays_are_kept_in_order(run):
    outcome = run(
        "from IPython.display import display, HTML, Markdown\n"
        "class Picture:\n    def _repr_png_(self): return b'\\x89PNG picture'\n"
        "display(HTML('<b>x</b>'))\ndisplay(Markdown('**words**'))\nPicture()"
    )
    assert [item.media_type for item in outcome.rich] == ["text/html", "text/markdown", "image/png"]
    assert outcome.rich[2].data == b"\x89PNG picture"
    assert "**words**" in outcome.stdout
    assert "Picture at" in outcome.result


def test_an_update_replaces_what_it_updates(run):
    outcome = run(
        "from IPython.display import display, HTML\nh = display(HTML('a'), display_id=True)\nh.update(HTML('b'))"
    )
    assert [item.data for item in outcome.rich] == [b"b"]


def test_a_data_frame_is_text_and_html(run):
    outcome = run("import pandas as pd\npd.DataFrame({'a': [1, 2]})")
    assert outcome.result.split() == ["a", "0", "1", "1", "2"]
    assert [item.media_type for item in outcome.rich] == ["text/html"]


def test_display_while_nobody_runs_code_goes_where_it_went(run, capsys):
    run(
        "from IPython.display import display\nimport logging, sys\nhandler = logging.StreamHandler()\n"
        "log = logging.getLogger('test_namespace')\nlog.addHandler(handler)"
    )
    assert run("log.warning('inside')").stderr == "inside\n"
    logging.getLogger("test_namespace").warning("outside")
    assert "outside" in capsys.readouterr().err


def test_tracebacks_show_the_code_and_the_last_library_frame(run):
    outcome = run("import json\ndef load(text):\n    return json.loads(text)\nload('{')")
    assert outcome.error_name == "JSONDecodeError"
    lines = outcome.error.splitlines()
    assert lines[:5] == [
        "Traceback (most recent call last):",
        "  <agent 1>, line 4",
        "    load('{')",
        "  <agent 1>, line 3, in load",
        "    return json.loads(text)",
    ]
    assert "decoder.py" in lines[5]
    assert lines[-1].startswith("json.decoder.JSONDecodeError: Expecting property name")
    assert len(lines) == 8
    assert "statebook" not in outcome.error


def test_functions_keep_the_source_of_the_run_that_made_them(run, shell):
    run("def half(x):\n    return x / 0")
    outcome = run("pass\npass\nhalf(1)")
    assert "  <agent 1>, line 2, in half\n    return x / 0" in outcome.error
    assert "  <agent 2>, line 3\n    half(1)" in outcome.error
    assert inspect.getsource(shell.user_ns["half"]) == "def half(x):\n    return x / 0\n"


def test_frames_of_the_users_cells_have_their_cell_name(run, shell):
    number = shell.execution_count
    shell.run_cell("def of_user():\n    raise KeyError('gone')", store_history=True)
    assert f"  Cell In[{number}], line 2, in of_user" in run("of_user()").error


def test_a_syntax_error_points_at_the_place(run):
    outcome = run("x = 1\ny = = 2")
    assert outcome.error_name == "SyntaxError"
    assert "line 2" in outcome.error
    assert "y = = 2" in outcome.error


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import sys; sys.exit()", "exit()", "exit", "quit()"])
def test_exit_ends_the_code_only(run, code):
    assert run(code).error_name == "SystemExit"
    assert run("1 + 1").result == "2"


def test_the_codes_own_keyboard_interrupt_is_an_error_and_no_stop(run):
    outcome = run("raise KeyboardInterrupt")
    assert (outcome.error_name, outcome.interrupted) == ("KeyboardInterrupt", False)


@pytest.mark.parametrize("code", ["input('name? ')", "import getpass\ngetpass.getpass()", "breakpoint()"])
def test_questions_to_nobody_do_not_hang(run, code):
    outcome = run(code)
    assert outcome.error_name == "EOFError"
    assert "Nobody can answer" in outcome.error


def test_magics_and_shell_commands_work(run):
    assert "Wall time" in run("%time sum(range(10))").stdout
    timed = run("%%time\nvalue = 5\nvalue * 2")
    assert timed.result == "10"
    assert "value" in timed.changed
    assert run("!echo from a shell").stdout.strip() == "from a shell"
    assert run("found = !echo listed\nfound[0]").result == "'listed'"


def test_an_unknown_magic_is_an_error_of_the_outcome(run, capsys):
    outcome = run("%no_such_magic")
    assert "no_such_magic" in outcome.error + outcome.stderr
    assert "no_such_magic" not in capsys.readouterr().err


def test_errors_that_magics_show_by_themselves_are_the_outcomes(run, capsys):
    assert run("%%time\n1 / 0").error_name == "ZeroDivisionError"
    assert run("get_ipython().run_cell('1 / 0');").error_name == "ZeroDivisionError"
    assert "ZeroDivisionError" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "code", ["%%agent\nDo more", "%agent resume", "%%statebook -v\nx", "get_ipython().run_cell_magic('agent', '', 'x')"]
)
def test_an_agent_in_an_agent_is_refused(run, shell, code):
    called = []
    magic = lambda *words: called.append(words)  # noqa: E731 - it needs no name of its own
    for name in ("agent", "statebook"):
        shell.register_magic_function(magic, "line", name)
        shell.register_magic_function(lambda line, cell: called.append((line, cell)), "cell", name)
    outcome = run(code)
    assert outcome.error_name == "UsageError"
    assert "can't start or steer an agent" in outcome.error
    assert called == []
    shell.run_line_magic("agent", "resume")
    assert called == [("resume",)]


def test_top_level_await_and_its_tasks_are_captured(run):
    outcome = run(
        "import asyncio\n"
        "async def say(word):\n    await asyncio.sleep(0.01)\n    print(word)\n    return word\n"
        "await asyncio.gather(say('a'), say('b'))"
    )
    assert sorted(outcome.stdout.split()) == ["a", "b"]
    assert outcome.result == "['a', 'b']"


def test_who_speaks_beside_awaiting_code_is_not_captured(namespace, shell, capsys):
    async def both():
        running = asyncio.ensure_future(
            namespace.run("import asyncio\nprint('in')\nawait asyncio.sleep(0.2)\nprint('in')")
        )
        await asyncio.sleep(0.05)
        print("beside")
        shell.display_pub.publish({"text/plain": "shown beside"})
        return await running

    outcome = asyncio.run(both())
    assert outcome.stdout == "in\nin\n"
    assert outcome.rich == ()
    assert capsys.readouterr().out == "beside\nshown beside\n"


def test_threads_that_the_code_starts_are_captured(run):
    outcome = run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor() as pool:\n    list(pool.map(print, 'ab'))"
    )
    assert sorted(outcome.stdout.split()) == ["a", "b"]


def test_cancelling_awaiting_code_cancels_it_and_its_finally_runs(namespace, shell):
    async def cancel():
        running = asyncio.ensure_future(
            namespace.run("import asyncio\ntry:\n    await asyncio.sleep(60)\nfinally:\n    cleaned = True")
        )
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel())
    assert shell.user_ns["cleaned"] is True
    assert asyncio.run(namespace.run("1")).result == "1"


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_code_that_was_cancelled_before_it_began_never_runs_later(namespace, shell, turns):
    async def cancel():
        running = asyncio.ensure_future(namespace.run("ran = True"))
        for _ in range(turns):
            if "ran" not in shell.user_ns:
                await asyncio.sleep(0)
        running.cancel()
        before = "ran" in shell.user_ns
        await asyncio.wait([running])
        for _ in range(5):
            await asyncio.sleep(0)
        return before

    before = asyncio.run(cancel())
    assert ("ran" in shell.user_ns) == before


def test_logging_that_was_set_up_before_is_captured(run, capsys):
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    stream = handler.stream
    try:
        assert run("import logging\nlogging.warning('inside')").stderr.endswith("inside\n")
        assert handler.stream is stream
    finally:
        logging.getLogger().removeHandler(handler)
    assert "inside" not in capsys.readouterr().err


def test_a_repr_that_fails_is_an_error(run):
    outcome = run("class Bad:\n    def __repr__(self):\n        raise ValueError('no repr')\nBad()")
    assert outcome.error_name == "ValueError"
    assert "<agent 1>, line 3, in __repr__" in outcome.error


def test_causes_and_groups_are_told(run):
    chained = run("try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('bad') from e")
    assert chained.error.endswith("ValueError: bad\nCaused by KeyError: 'k'")
    group = run("raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])")
    assert group.error.endswith("  - ValueError: a\n  - TypeError: b")


def test_endless_recursion_and_huge_messages_stay_short(run):
    assert len(run("def f(): return f()\nf()").error) < 3000
    assert len(run("raise ValueError('x' * 1_000_000)").error) < 7000


def test_a_cancellation_inside_the_code_is_its_own_error(run):
    outcome = run("import asyncio\nt = asyncio.ensure_future(asyncio.sleep(9))\nt.cancel()\nawait t")
    assert outcome.error_name == "CancelledError"


def test_two_at_once_are_refused(namespace):
    async def two():
        first = asyncio.ensure_future(namespace.run("import asyncio\nawait asyncio.sleep(0.1)\n'first'"))
        await asyncio.sleep(0.02)
        with pytest.raises(ToolError, match="already running"):
            await namespace.run("1")
        return await first

    assert asyncio.run(two()).result == "'first'"


def test_sigint_stops_sync_code_and_keeps_what_it_printed(run):
    before = signal.getsignal(signal.SIGINT)
    outcome = run("import signal\nprint('begun')\nsignal.raise_signal(signal.SIGINT)\nprint('never')")
    assert outcome.interrupted
    assert outcome.error_name == "KeyboardInterrupt"
    assert outcome.stdout == "begun\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_sigint_is_known_even_if_the_code_swallows_it(run):
    outcome = run(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    pass\n'on'"
    )
    assert (outcome.interrupted, outcome.error, outcome.result) == (True, "", "'on'")


def test_sigint_stops_the_frames_of_awaiting_code(run):
    outcome = run("import asyncio, signal\nawait asyncio.sleep(0)\nsignal.raise_signal(signal.SIGINT)")
    assert (outcome.interrupted, outcome.error_name) == (True, "KeyboardInterrupt")


class Helper:
    """A loop on another thread, whose main-thread calls this thread serves: `%%agent` in a terminal."""

    def __init__(self):
        self.calls = []
        self.ready = threading.Condition()

    async def main_thread(self, action):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self.ready:
            self.calls.append((loop, future, action))
            self.ready.notify()
        return await future

    def serve(self, coroutine):
        results = []

        def work():
            try:
                results.append(asyncio.run(coroutine))
            except BaseException as error:  # noqa: BLE001 - whatever comes is kept for the assertion
                results.append(error)
            with self.ready:
                self.ready.notify()

        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            with self.ready:
                self.ready.wait_for(lambda: self.calls or not thread.is_alive(), timeout=0.05)
                calls, self.calls = self.calls, []
            for loop, future, action in calls:
                value = action()
                if not loop.is_closed():
                    loop.call_soon_threadsafe(lambda f=future, v=value: f.done() or f.set_result(v))
        thread.join()
        return results[0]


def test_from_a_helper_loop_code_runs_on_the_main_thread(shell):
    helper = Helper()
    namespace = Namespace(shell, helper.main_thread)
    outcome = helper.serve(namespace.run("import threading\nprint('x')\nthreading.current_thread().name"))
    assert (outcome.stdout, outcome.result) == ("x\n", "'MainThread'")
    outcome = helper.serve(namespace.run("import asyncio\nawait asyncio.sleep(0.01)\nthreading.current_thread().name"))
    assert outcome.result == "'MainThread'"


def test_await_works_below_a_loop_that_stands_still(shell):
    helper = Helper()

    async def in_a_sync_cell_of_a_kernel():
        return helper.serve(Namespace(shell, helper.main_thread).run("import asyncio\nawait asyncio.sleep(0.01, 'v')"))

    assert asyncio.run(in_a_sync_cell_of_a_kernel()).result == "'v'"


@pytest.mark.parametrize("wait", ["import time\ntime.sleep(60)", "import asyncio\nawait asyncio.sleep(60)"])
def test_cancelling_from_a_helper_loop_interrupts_the_main_thread(shell, wait):
    helper = Helper()
    namespace = Namespace(shell, helper.main_thread)

    started = shell.user_ns["started"] = threading.Event()

    async def cancel():
        running = asyncio.ensure_future(namespace.run(f"started.set()\n{wait}\nended = True"))
        await asyncio.to_thread(started.wait, 10)
        running.cancel()
        await running

    assert isinstance(helper.serve(cancel()), asyncio.CancelledError)
    assert "ended" not in shell.user_ns


def test_variables_are_what_the_user_made(shell, namespace):
    shell.run_cell("import json\nimport pandas as pd\ndf = pd.DataFrame()\n_private = 1\nopen_files = []\nOut_of = 1")
    assert sorted(namespace.variables()) == ["Out_of", "df", "open_files"]


def test_the_shell_under_test_is_a_real_one(shell):
    assert isinstance(shell, InteractiveShell)
