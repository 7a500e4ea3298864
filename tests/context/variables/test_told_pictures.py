"""What a model is shown: figures and pictures as PNGs, none of them too big."""

import io

import matplotlib as mpl
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image as Shown
from PIL import Image
from statebook.context.files import pixels
from statebook.context.variables import describe
from statebook.context.variables.pictures import LARGEST_BYTES, LARGEST_SIDE


@pytest.fixture
def figure():
    made, axes = plt.subplots()
    axes.plot([1, 3, 2], label="boats")
    axes.set_title("Boats by year")
    axes.set_xlabel("year")
    axes.legend()
    yield made
    plt.close(made)


def test_a_figure_is_shown_and_told_by_its_labels(figure):
    found = describe("fig", figure)
    assert "matplotlib figure, 6.4 x 4.8 inches" in found.text
    assert "title 'Boats by year', x 'year', 1 line, legend 'boats'" in found.text
    assert found.picture.media_type == "image/png"
    assert pixels(found.picture.data) == (640, 480)


def test_the_same_figure_has_the_same_bytes(figure):
    assert describe("fig", figure).picture.data == describe("fig", figure).picture.data


def test_axes_are_shown_as_their_figure(figure):
    assert describe("ax", figure.axes[0]).picture == describe("fig", figure).picture


def test_a_huge_figure_is_drawn_smaller():
    figure = plt.figure(figsize=(80, 10))
    figure.add_subplot().imshow(np.random.default_rng(1).random((500, 500)))
    picture = describe("fig", figure).picture
    plt.close(figure)
    assert max(pixels(picture.data)) <= LARGEST_SIDE
    assert len(picture.data) <= LARGEST_BYTES


def test_a_figure_that_can_not_be_drawn_says_so(figure):
    figure.axes[0].set_title("$\\nosuchcommand{$")
    found = describe("fig", figure)
    assert found.picture is None
    assert "it could not be drawn: " in found.text


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "F", "YCbCr"])
def test_pictures_of_every_mode_become_a_png(mode):
    found = describe("p", Image.new(mode, (30, 20)))
    assert f"picture of 30 x 20 pixels, mode {mode}" in found.text
    assert pixels(found.picture.data) == (30, 20)


def test_a_big_picture_is_scaled_and_stays_as_it_is():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (1500, 3000, 3), dtype="uint8"))
    picture = describe("p", noise).picture
    assert max(pixels(picture.data)) < LARGEST_SIDE
    assert len(picture.data) <= LARGEST_BYTES
    assert noise.size == (3000, 1500)


def test_a_truncated_picture_says_so():
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400)).save(buffer, "PNG")
    found = describe("p", Image.open(io.BytesIO(buffer.getvalue()[:200])))
    assert found.picture is None
    assert "could not be read" in found.text


def test_what_draws_itself_as_a_png_is_shown():
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "PNG")
    found = describe("p", Shown(buffer.getvalue()))
    assert found.picture.data == buffer.getvalue()
    assert "40 x 30 pixels" in found.text


def test_what_gives_no_png_is_only_named():
    class Odd:
        def _repr_png_(self):
            return b"no picture"

    assert describe("p", Odd()).picture is None
