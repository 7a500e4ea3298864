"""The tree, the preview and the comparison: as HTML that shows nothing but text, and as text that reads the same."""

import html
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from statebook.protocol.approvals import Grant
from statebook.protocol.journal.lines import Part
from statebook.protocol.memories import Memory
from statebook.session.rewinding.looking.compare import Comparison, VariableChange
from statebook.session.rewinding.looking.tree import Line, Row, Tree
from statebook.session.rewinding.move import Moved
from statebook.session.rewinding.plan import Holdings, Preview, RunLine
from statebook.session.rewinding.points import Point
from statebook.state.files.preview import FileDiff
from statebook.state.snapshots.fates import Outcome
from statebook.store.reading.between import Done
from statebook.store.reading.runs import Told
from statebook.ui.sheets.lines.comparison import ComparisonSheet
from statebook.ui.sheets.lines.graph import laid_out
from statebook.ui.sheets.lines.preview import PreviewSheet
from statebook.ui.sheets.lines.tree import TreeSheet

EVIL = "<img src=x onerror=alert(1)> \x1b[31m\u202e$x$"
NOW = datetime(2026, 11, 23, 12)  # noqa: DTZ001 - as the store keeps times
ALL: tuple[Part, ...] = ("conversation", "memory", "variables", "files")


class Checked(HTMLParser):
    """Collects elements, and refuses what is not balanced."""

    VOID = frozenset({"br", "img", "circle", "path"})

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.open = []
        self.running = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"code", "pre", "style"} & set(self.open):
            self.running.append(data)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)


def preview(**fields):
    given = {
        "how": "rewind",
        "parts": ALL,
        "origin": Point(1, 30, 6, "head", tip=True),
        "target": Point(1, 7, 1, "where r2 began", run=2),
        "branch": "main-2",
        "onto": None,
        "leaving": (RunLine(2, f"ask {EVIL}", EVIL), RunLine(3, "more")),
        "ends": Holdings((Memory(1, EVIL, "agent", NOW),), (Grant("send"),)),
        "variables": (
            Outcome("df", "restored"),
            Outcome("gen", "lost", f"generator: {EVIL}", "rows = (x for x in y)"),
            Outcome("keep", "kept"),
        ),
        "diffs": (FileDiff("a.txt", "changed", 1, 1, f"@@ -1 +1 @@\n-{EVIL}\n+new\n", ""),),
        "effects": (Done(3, 2, "send", f'{{"to": "{EVIL}"}}', "ok"),),
    }
    return Preview(**(given | fields))


def test_a_preview_tells_each_part_in_a_line():
    lines = repr(PreviewSheet(preview())).splitlines()
    assert lines[0] == "Go back to where r2 began?"
    assert lines[1].strip() == "from #6 to #1, on the new branch main-2"
    assert "  Conversation  r2 and r3 leave" in lines
    assert "  Memory        M1 goes, 1 grant goes" in lines
    assert "  Variables     df restored, gen lost, 1 stays" in lines
    assert any("run again: rows = (x for x in y)" in line for line in lines)
    assert "  Stays done outside:" in lines


def test_what_was_done_is_told_with_the_way_back():
    moved = Moved(preview(), 7, 1, "main-2", preview().variables, (("b.txt", "was changed"),), ("cwd is gone",))
    text = repr(PreviewSheet(preview(), moved))
    assert text.startswith("Back at where r2 began\n  from #7 to #1")
    assert "b.txt was left as it is: it was changed" in text
    assert "cwd is gone" in text
    assert "gen: run again `rows = (x for x in y)`" in text
    assert "What was here is kept at #7: `%agent redo` returns to it." in text


def test_what_a_preview_has_told_is_not_told_again():
    done = Moved(preview(), 7, 1, "main-2", preview().variables)
    lines = repr(PreviewSheet(preview(), done, brief=True)).splitlines()
    assert [line.strip() for line in lines] == [
        "Back at where r2 began",
        "from #7 to #1, on the new branch main-2",
        "gen: run again `rows = (x for x in y)`",
        "What was here is kept at #7: `%agent redo` returns to it.",
    ]
    two = Outcome("a", "lost", "generator"), Outcome("b", "lost", "generator")
    same = Moved(preview(variables=two), 7, 1, "main-2", two[::-1])
    assert "Variables" not in repr(PreviewSheet(same.preview, same, brief=True)), "in whatever order they are told"
    lost = (Outcome("df", "lost", "a chunk of it is damaged"),)
    other = Moved(preview(), 7, 1, "main-2", lost, (("b.txt", "was changed"),))
    text = repr(PreviewSheet(preview(), other, brief=True))
    assert "Variables     df lost" in text
    assert "b.txt was left as it is: it was changed" in text


@pytest.mark.parametrize(
    "sheet",
    [
        PreviewSheet(preview()),
        PreviewSheet(preview(), Moved(preview(), 7, 1, "main-2", preview().variables, (("b", EVIL),), (EVIL,))),
        ComparisonSheet(
            Comparison(
                preview().origin,
                preview().target,
                (preview().leaving, ()),
                (preview().ends.memories, ()),
                (VariableChange(EVIL, EVIL, "", EVIL),),
                preview().diffs,
                (0.5, 0.0),
                (EVIL,),
            )
        ),
        TreeSheet(
            Tree(
                (Row(2, 1, 1, "run_end", EVIL, 2, 0, NOW, True, Told(EVIL, (EVIL,), 0.1, "done"), (EVIL,)),),
                (Line(1, EVIL, 0),),
                1,
                2,
            ),
            NOW,
        ),
    ],
    ids=lambda sheet: type(sheet).__name__,
)
def test_nothing_in_it_is_obeyed(sheet):
    html = sheet._repr_html_()
    checked = Checked(html)
    assert not {"img", "script"} & set(checked.elements)
    assert "\x1b" not in html + repr(sheet)
    assert "\u202e" not in html + repr(sheet)
    assert not any("$x$" in text for text in checked.running), "no mathematics in what people and models wrote"


def row(number, branch, *, parent=0, on_head=True):
    return Row(
        number, parent, branch, "run_end", "", number, 0, NOW - timedelta(hours=number), on_head, Told(f"q{number}")
    )


def test_branches_stand_in_lanes_and_hang_on_their_checkpoints():
    rows = (row(6, 3), row(5, 1), row(4, 2), row(3, 1), row(2, 1), row(1, 1))
    tree = Tree(rows, (Line(1, "main", 0), Line(2, "two", 2), Line(3, "three", 3), Line(4, "bare", 1)), 3, 6)
    text = repr(TreeSheet(tree, NOW)).splitlines()
    assert [line[:6].rstrip() for line in text[:6]] == ["●", "│ ●", "│ │ ●", "╰─● │", "  ●─╯", "  ●"]
    assert "[three ← you are here]" in text[0]
    assert "[bare]" in text[5], "a branch without a checkpoint of its own is named where it begins"
    graph = laid_out(tree)
    assert [cell.lane for cell in graph.cells] == [0, 1, 2, 1, 1, 1]
    assert graph.cells[3].joining == (0,)


def test_a_long_tree_says_what_is_left_out_and_draws_quickly():
    rows = tuple(row(number, 1, parent=number - 1) for number in range(300, 0, -1))
    sheet = TreeSheet(Tree(rows, (Line(1, "main", 0),), 1, 300, more=700), NOW)
    assert "`%agent checkpoints --before #1` shows older ones, of which there are 700." in repr(sheet)
    assert sheet._repr_html_().count('class="sb-row"') == 300


def test_forty_branches_are_a_picture_that_fits():
    rows = tuple(row(number, number - 1 if number > 1 else 1, parent=1) for number in range(41, 0, -1))
    lines = (Line(1, "main", 0), *(Line(number, f"main-{number}", 1) for number in range(2, 41)))
    sheet = TreeSheet(Tree(rows, lines, 40, 41), NOW)
    text = repr(sheet).splitlines()
    assert max(map(len, text)) <= 120
    assert [line.partition("#")[2].split()[0] for line in text[:41]] == [str(number) for number in range(41, 0, -1)]
    assert "[main-40 ← you are here]" in text[0]
    Checked(sheet._repr_html_())


def test_a_row_says_what_happened_in_few_words():
    rows = (
        Row(
            3, 2, 1, "run_end", "", 2, 0, NOW, True, Told("Clean it:\n```python\ndf = 1\n```", ("python",) * 2), ("df",)
        ),
        Row(2, 1, 1, "cell", "In [4]: df = 0", 0, 0, NOW, True, None, ("df",)),
        Row(1, 0, 1, "person", "raw data", 0, 0, NOW, True),
    )
    text = repr(TreeSheet(Tree(rows, (Line(1, "main", 0),), 1, 3), NOW)).splitlines()
    assert text[:3] == [
        "● #3     [main ← you are here] r2 Clean it: …  Δ df · python ×2 · now",
        "● #2     In [4]: df = 0  Δ df · now",
        "● #1     “raw data”  now",
    ]


def text_without_style(sheet):
    """What is read where the style sheet and drawings were taken away."""
    kept = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", sheet._repr_html_(), flags=re.DOTALL)
    lines = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</(?:div|p|summary|tr|li)>", "\n", kept))).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_a_notebook_that_is_not_trusted_still_reads_well():
    tree = Tree((row(3, 2), row(2, 1), row(1, 1)), (Line(1, "main", 0), Line(2, "two", 1)), 2, 3)
    lines = text_without_style(TreeSheet(tree, NOW))
    assert lines[:3] == ["● #3 [two] r3 q3 · 3 h ago", "│ ● #2 [main] r2 q2 · 2 h ago", "╰─● #1 r1 q1 · 1 h ago"]
    lines = text_without_style(
        PreviewSheet(preview(diffs=(FileDiff("a.txt", "changed", 1, 1, "@@ @@\n-x\n+y\n", ""),)))
    )
    assert lines[:3] == [
        "Go back to where r2 began?",
        "from #6 to #1, on the new branch main-2",
        "Conversation r2 and r3 leave",
    ]
    at = lines.index("a.txt +1 −1@@ @@")
    assert lines[at + 1 : at + 3] == ["-x", "+y"]


def test_an_older_part_of_a_tree_names_no_heads():
    tree = Tree((row(3, 1), row(2, 1)), (Line(1, "main", 0), Line(2, "two", 2)), 1, 9, more=1, paged=True)
    assert "[" not in repr(TreeSheet(tree, NOW))


def test_an_empty_tree_says_how_it_fills():
    sheet = TreeSheet(Tree((), (Line(1, "main", 0),), 1, 0), NOW)
    assert "each run ends with one" in repr(sheet)
    assert "each run ends with one" in sheet._repr_html_()


def test_two_points_that_are_the_same_differ_in_nothing():
    point = SimpleNamespace(name="head")
    text = repr(ComparisonSheet(Comparison(point, point)))
    assert text.count("no difference") == 4
