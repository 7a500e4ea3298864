from __future__ import annotations

import asyncio
import io
import sys
from types import SimpleNamespace

import pytest
from IPython.utils.capture import capture_output
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import RunEnded, RunResumed
from statebook.protocol.journal.runs import Run
from statebook.ui.sinks import HeadlessSink, NotebookSink, TerminalSink, choose_sink
from ui_samples import ANSWER, Journal, call, done, failed, interrupted, paused, research, texts


@pytest.fixture
def published(ipython):  # noqa: ARG001 - a display needs a shell
    """What reaches the front end: a list of displays and updates, as IPython's display publisher gets them."""
    with capture_output() as captured:
        yield captured


def kernel_shell(allow_stdin: bool) -> SimpleNamespace:
    parent = {"content": {"allow_stdin": allow_stdin}}
    return SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: parent))


def outputs(captured) -> list[dict]:
    return captured._outputs


async def play(sink, run: Run, entries, pause: float = 0.0) -> None:
    for entry in entries:
        run.apply(entry)
        sink.update(run)
        await asyncio.sleep(pause)


def test_the_sink_fits_the_place():
    assert isinstance(choose_sink(kernel_shell(True), texts), NotebookSink)
    assert isinstance(choose_sink(kernel_shell(True), texts, stream=False), HeadlessSink)
    assert isinstance(choose_sink(kernel_shell(False), texts), HeadlessSink)
    assert isinstance(choose_sink(SimpleNamespace(), texts), TerminalSink)


def test_headless_is_exactly_one_final_display(published):
    entries = research().add(RunEnded("done")).entries
    run = Run.fold(entries[:1])
    sink = HeadlessSink(texts)
    asyncio.run(play(sink, run, entries[1:]))
    assert outputs(published) == []
    sink.close(run)
    (only,) = outputs(published)
    assert set(only["data"]) == {"text/html", "text/plain"}
    assert not only.get("update")
    assert "display_id" not in (only.get("transient") or {})


def test_a_notebook_is_updated_at_intervals_and_ends_with_the_final_state(published):
    entries = research().entries
    run = Run.fold(entries[:1])
    sink = NotebookSink(texts)

    async def stream() -> None:
        await play(sink, run, entries[1:-1])
        for n in range(0, len(ANSWER), 5):
            run.draft = ANSWER[:n]
            sink.update(run)
            await asyncio.sleep(0)
        before = len(outputs(published))
        await asyncio.sleep(0.4)
        assert len(outputs(published)) == before + 1, "an update that was held back is drawn when its time comes"
        assert "does not measure" in outputs(published)[-1]["data"]["text/html"]
        sink.update(run)
        sink.close(done())

    asyncio.run(stream())
    drawn = outputs(published)
    assert len(drawn) <= 6, "hundreds of updates make few drawings"
    assert not drawn[0].get("update")
    assert all(each["update"] for each in drawn[1:])
    assert len({each["transient"]["display_id"] for each in drawn}) == 1
    assert "sb-foot" in drawn[-1]["data"]["text/html"].partition("</style>")[2]
    assert drawn[0]["data"]["text/plain"] == "r3 is running; `%agent show r3` draws it as it is on disk"


@pytest.mark.usefixtures("published")
def test_long_answers_are_drawn_less_often():
    sink = NotebookSink(texts)
    run = research().run()
    run.draft = "word " * 20_000
    sink.update(run)
    assert 0.24 <= sink._interval < 0.5


def test_a_call_that_holds_the_loop_is_seen_at_work(published):
    wanted = call(1, "python", code="time.sleep(60)")
    entries = Journal().model("", [wanted]).intend(wanted).entries
    run = Run.fold(entries[:1])
    sink = NotebookSink(texts)
    asyncio.run(play(sink, run, entries[1:]))
    last = outputs(published)[-1]["data"]["text/html"]
    assert "running" in last
    assert "thinking" not in last


def test_many_calls_at_once_make_few_drawings(published):
    wanted = [call(n, "look") for n in range(200)]
    journal = Journal().model("", wanted)
    for one in wanted:
        journal.intend(one)
    run = Run.fold(journal.entries[:1])
    asyncio.run(play(NotebookSink(texts), run, journal.entries[1:]))
    assert len(outputs(published)) <= 20


def test_progress_is_shown_until_the_next_step(published):
    wanted = call(1, "read_source", source="big.pdf")
    run = Journal().model("", [wanted]).intend(wanted).run()
    sink = NotebookSink(texts)
    sink.progress(run, "page 3 of 90")
    assert "page 3 of 90" in outputs(published)[-1]["data"]["text/html"]


def test_verbose_prints_each_finished_step_once(capsys):
    entries = research().entries
    run = Run.fold(entries[:1])
    sink = HeadlessSink(texts, verbose=True)
    asyncio.run(play(sink, run, [*entries[1:], research().add(RunEnded("done")).entries[-1]]))
    sink.close(run)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("r3.")]
    assert len(lines) == 9
    assert lines[3].startswith("r3.4 read_source source='briefs/03-durable.md' ✓ 0.01s")


def test_verbose_marks_the_steps_of_an_earlier_kernel(capsys):
    wanted = [call(n, "fetch", n=n) for n in (1, 2)]
    journal = Journal().model("", wanted).intend(wanted[0]).finish(wanted[0])
    run = journal.run()
    journal.add(RunResumed(1, Limits())).intend(wanted[1]).finish(wanted[1])
    sink = HeadlessSink(texts, verbose=True)
    asyncio.run(play(sink, run, journal.entries[4:]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("(recorded)") for line in lines] == [True, True, False]


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("iopub is closed")


@pytest.mark.parametrize("make", [NotebookSink, HeadlessSink, lambda _: TerminalSink(verbose=True)])
def test_a_broken_front_end_never_harms_the_run(make, monkeypatch):
    def broken(*_args, **_kwargs):
        raise OSError("iopub is closed")

    monkeypatch.setattr("IPython.display.display", broken)
    monkeypatch.setattr(sys, "stdout", Closed())
    sink = make(texts)
    run = done()
    sink.update(run)
    sink.progress(run, "x")
    sink.close(run)


def stream_to_terminal(run: Run, entries, **options) -> str:
    written: list[str] = []
    sink = TerminalSink(write=written.append, **options)
    for entry in entries:
        event = entry.event
        text = event.message.text if hasattr(event, "message") else ""
        for n in range(0, len(text), 3):
            run.draft = text[:n]
            sink.update(run)
        run.apply(entry)
        sink.update(run)
    sink.close(run)
    return "".join(written)


def test_a_terminal_grows_with_the_answer():
    entries = research().add(RunEnded("done")).entries
    text = stream_to_terminal(Run.fold(entries[:1]), entries[1:])
    assert text.startswith("I look at what the sources say.\nr3.2 search_sources query=")
    assert text.count("read_source") == 3
    assert text.count("Agent runtimes lose work in **three** places") == 1
    assert "far beyond its content [2][1]." in text
    assert "[S3.7] is not a citation here" in text
    assert "[1] Durable execution, in brief (briefs/03-durable.md · lines 12-20)" in text
    assert text.rstrip().endswith("60.0K in (50.8K cached) / 1.6K out · $0.0842 · 9 steps")


def test_a_verbose_terminal_does_not_break_the_answer_apart():
    entries = research().add(RunEnded("done")).entries
    text = stream_to_terminal(Run.fold(entries[:1]), entries[1:], verbose=True)
    assert "Agent runtimes lose work in **three** places, and the sources agree on two of them." in text
    assert "\nr3.2 search_sources query=" in text


def test_a_terminal_without_streaming_prints_once():
    entries = research().add(RunEnded("done")).entries
    text = stream_to_terminal(Run.fold(entries[:1]), entries[1:], stream=False)
    assert text.startswith("Agent runtimes lose work")
    assert text.count("Sources") == 1


@pytest.mark.parametrize(
    ("run", "line"), [(paused(), "approve r3.2 or %agent"), (failed(), "resume r3"), (interrupted(), "resume r3")]
)
def test_a_terminal_says_how_to_go_on(run, line):
    assert f"To go on: %agent {line}" in stream_to_terminal(run, [])
