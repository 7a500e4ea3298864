"""What cells hand over and what `%agent context` shows of it: in a real shell, with real files and figures."""

import io
import json
import os
import re

import matplotlib as mpl
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image
from statebook.context.files import pixels
from statebook.errors import PromptError
from statebook.magic.cell.prompt import complete
from statebook.protocol.journal.codec import digest
from statebook.protocol.messages import File
from statebook.protocol.models import Usage
from statebook.testing import say


def picture(kind, size=(40, 30)):
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind)
    return buffer.getvalue()


def pdf(text):
    """A PDF of one page, with or without text."""
    content = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode() if text else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    return (
        out
        + b"xref\n0 6\n0000000000 65535 f \n"
        + table
        + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % start
    )


NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Boats\n\nThe red boat sank."}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def handed(tmp_path):
    """What a text hands over."""
    return lambda text, **variables: complete(text, eval, variables, tmp_path)


@pytest.mark.parametrize(
    ("kind", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
)
def test_a_picture_is_handed_over_as_it_is_by_its_content(handed, tmp_path, kind, media):
    (tmp_path / "boat.dat").write_bytes(picture(kind))
    made = handed("Look at @file:boat.dat.")
    (attachment,), (artifact,) = made.attachments, made.artifacts
    assert attachment.file == File(digest(picture(kind)), media, "boat.dat")
    assert f"picture of 40 x 30 pixels, {media}" in attachment.text
    assert (artifact.data, artifact.media_type) == (picture(kind), media)


def test_a_very_large_picture_is_scaled(handed, tmp_path):
    (tmp_path / "big.jpg").write_bytes(picture("JPEG", (5000, 100)))
    made = handed("@file:big.jpg")
    assert pixels(made.artifacts[0].data) == (2000, 40)
    assert "picture of 5000 x 100 pixels, image/jpeg, scaled down to 2000 at most" in made.attachments[0].text
    assert made.attachments[0].file.digest == digest(made.artifacts[0].data)


def test_a_pdf_is_handed_over_as_text_by_page(handed, tmp_path):
    (tmp_path / "report.pdf").write_bytes(pdf("The red boat sank."))
    made = handed("@file:report.pdf")
    assert "[page 1]\nThe red boat sank." in made.attachments[0].text
    assert made.attachments[0].file is None
    assert made.artifacts == ()


def test_a_pdf_without_text_is_handed_over_as_it_is(handed, tmp_path):
    (tmp_path / "scan.pdf").write_bytes(pdf(""))
    made = handed("@file:scan.pdf")
    assert made.attachments[0].file.media_type == "application/pdf"
    assert "no text: its pages are pictures" in made.attachments[0].text
    assert made.artifacts[0].data == pdf("")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("page.html", "<h1>Boats</h1><script>x()</script><p>The red boat sank.</p>", "The red boat sank."),
        ("book.ipynb", json.dumps(NOTEBOOK), "[cell 1]\n"),
        ("table.csv", "boat,year\nred,1912\n", "boat | year\nred | 1912"),
        ("utf16.txt", "Grüße".encode("utf-16"), "Grüße"),
        ("latin.txt", "Grüße".encode("latin-1"), "Grüße"),
        ("empty.txt", "", ""),
    ],
)
def test_documents_are_handed_over_as_their_text(handed, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    text = handed(f"@file:{name}").attachments[0].text
    assert told in text
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n", "begins like a picture (image/png) and is none"),
        ("a.pdf", b"%PDF-1.4 nothing else", "is not a readable PDF"),
        ("a.bin", b"\x00\x01\x02\x03" * 100, "is not a text file"),
        ("a.ipynb", b"{", "can't be"),
        (".ssh/config", b"Host x", "may hold secrets"),
    ],
)
def test_what_can_not_be_handed_over_is_one_line(handed, tmp_path, name, content, told):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PromptError) as error:
        handed(f"@file:{name}")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_too_big_says_how_big(handed, tmp_path):
    with (tmp_path / "big.png").open("wb") as file:
        file.write(picture("PNG"))
        file.truncate(30_000_000)
    with pytest.raises(PromptError, match="30 MB, and 20 MB are the most"):
        handed("@file:big.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_not_waited_for(handed, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PromptError, match="is no file"):
        handed("@file:pipe")


def test_a_figure_is_handed_over_once_with_its_picture(handed):
    figure, axes = plt.subplots()
    axes.set_title("Boats")
    made = handed("Compare @fig with @same", fig=figure, same=figure)
    plt.close(figure)
    assert [attachment.file.name for attachment in made.attachments] == ["fig.png", "same.png"]
    assert len(made.artifacts) == 1
    assert "title 'Boats'" in made.attachments[0].text


# -- in a shell ------------------------------------------------------------------------------------------------------


def test_context_shows_the_request_that_is_then_sent(shell, use, tmp_path):
    (tmp_path / "boat.png").write_bytes(picture("PNG"))
    shell.user_ns["df"] = pd.DataFrame({"a": [1, 2]})
    session = use(say("One."), say("Two."))
    shell.run_cell("%%agent\nFirst")
    prompt = "Don't  guess: what is in @df and @file:boat.png?"
    sheet = shell.run_line_magic("agent", f"context {prompt}")
    told = re.search(r"Request digest (\w{16})", repr(sheet))[1]
    assert session.last_run().number == 1
    shell.run_cell(f"%%agent\n{prompt}")
    run = session.last_run()
    assert run.number == 2
    assert run.models[0].digest.startswith(told)
    assert sheet.account.tokens == run.models[0].estimate
    assert next(iter(session.models.get("").requests[-1].files.values())) == picture("PNG")


def test_context_tells_parts_tokens_and_what_a_provider_may_have(shell, use):
    use(say("One.", usage=Usage(input=5_000, output=1)))
    shell.run_cell("%%agent\nFirst")
    sheet = shell.run_line_magic("agent", "context Second")
    rows = sheet.account.rows
    assert [row.role for row in rows] == ["system", "tools", "user", "assistant", "user"]
    assert [row.known for row in rows] == [True, True, True, False, False]
    assert rows[-1].total == sum(row.tokens for row in rows) == sheet.account.tokens
    told = repr(sheet)
    assert "calibrated on 1 call: this model counts 2.00 x our estimate" in told
    assert re.search(r"begins like the last request for about [\d,]+ tokens \(\d+ %", told)


def test_a_prompt_may_end_in_a_question_mark(shell, use):
    use()
    sheet = shell.run_cell("%agent context Which boat sank?").result
    assert sheet.account.rows[-1].text == "Which boat sank?"
    help_asked = shell.run_cell("%agent?")
    assert help_asked.success
    assert help_asked.result is None


def test_context_of_another_model_has_nothing_to_compare_with(shell, use):
    use(say("One."))
    shell.run_cell("%%agent\nFirst")
    sheet = shell.run_line_magic("agent", "context -m offline: Second --not-a-flag")
    assert sheet.model == "offline:research"
    assert not sheet.account.compared
    assert sheet.account.rows[-1].text == "Second --not-a-flag"


def test_context_as_html_escapes_everything_and_shows_pictures(shell, use, tmp_path):
    (tmp_path / "boat.png").write_bytes(picture("PNG"))
    use()
    html = shell.run_line_magic("agent", "context <script>alert(1)</script> $x$ @file:boat.png")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert '<img alt="boat.png" src="data:image/png;base64,' in html
    assert html.count("<details") == html.count("</details>") > 10
    assert "search_sources" in html


def test_compact_and_undo_as_commands(shell, use, capsys):
    session = use(say("Red."), say("They spoke of boats."))
    shell.run_cell("%%agent\nWhich boat?")
    shell.run_line_magic("agent", "compact")
    assert "Models see this summary in place of the runs so far" in capsys.readouterr().out
    sheet = shell.run_line_magic("agent", "context And now?")
    assert "They spoke of boats." in repr(sheet)
    assert "Which boat?" not in repr(sheet)
    shell.run_line_magic("agent", "compact --undo")
    assert "Which boat?" in repr(shell.run_line_magic("agent", "context And now?"))
    assert session.store.as_of_head.compacted()[0].upto == 0


def test_the_offline_model_says_that_it_can_not_look(shell, tmp_path):
    (tmp_path / "boat.png").write_bytes(picture("PNG"))
    (tmp_path / "boats.md").write_text("# Boats\n\nThe red boat sank in 1912.\n")
    shell.run_cell("%%agent answer <<\nWhich boat sank? See @file:boat.png")
    answer = str(shell.user_ns["answer"])
    assert "1912" in answer
    assert "I can't look at pictures and scanned pages, so I left `boat.png` aside." in answer
