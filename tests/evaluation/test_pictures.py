import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.evaluation import pictures
from tests.helpers import random_pixels

HEADINGS = ("real A", "fake B", "cycled A", "identity A")


def columns_of(num_rows, height, width):
    """Another picture in each place, by heading."""
    return {
        heading: np.stack(
            [random_pixels(height, width, 10 * row + place) for row in range(num_rows)]
        )
        for place, heading in enumerate(HEADINGS)
    }


@pytest.mark.parametrize(
    "num_rows, height, width, scale",
    [(1, 16, 16, 4), (2, 24, 60, 2), (2, 64, 64, 1), (4, 36, 70, 1)],
)
def test_pictures_of_a_sheet_are_as_they_were(tmp_path, num_rows, height, width, scale):
    columns = columns_of(num_rows, height, width)
    path = tmp_path / "epoch-0123-a.png"
    pictures.save_png(path, pictures.sample_grid(columns))
    sheet = pictures.read_png(path)[pictures.STRIP_HEIGHT :]
    cells = np.split(sheet, 4, axis=1)
    for images, column in zip(columns.values(), cells, strict=True):
        larger = np.kron(np.concatenate(images), np.ones((scale, scale, 1), np.uint8))
        np.testing.assert_array_equal(column, larger)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_headings_stand_above_their_columns(side):
    grid = pictures.sample_grid(columns_of(1, side, side))
    strips = np.split(grid[: pictures.STRIP_HEIGHT], 4, axis=1)
    # Black letters on white that end before the next column, and differ.
    for strip in strips:
        assert strip.min() < 60 and (strip[:, -3:] == 255).all()
    assert len({strip.tobytes() for strip in strips}) == 4


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"nothing"])
def test_file_that_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "epoch-0001-a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match="epoch-0001-a.png cannot be read"):
        pictures.read_png(path)


@pytest.mark.parametrize("names", [("G_A", "D_B"), ("G_A",), ()])
def test_losses_are_plotted_as_far_as_they_are_there(names):
    rows = [{"epoch": i} | dict.fromkeys(names, 0.5 / i) for i in (1.0, 2.0, 3.0)]
    with Image.open(io.BytesIO(pictures.loss_plot(rows))) as image:
        assert image.size == (1000, 400)


def test_chart_has_a_line_for_each_curve():
    rows = [{"epoch": 1, "swd": 3.0}, {"epoch": 2}, {"epoch": 3, "swd": np.nan}]
    svg = pictures.chart(
        [(rows, "swd", "#ff0000", "-"), (rows[:1], "swd", "#00ff00", "--")]
    )
    for colour in (b"#ff0000", b"#00ff00"):
        assert colour in svg
    assert svg.count(b"stroke-dasharray") == 1


def test_error_map_is_dark_without_error_and_bright_with_much():
    picture = pictures.error_map(np.array([[0.0, pictures.HOTTEST, 1000.0]]))
    assert picture[0, 0].max() < 10 and picture[0, 1].min() > 150
    np.testing.assert_array_equal(picture[0, 1], picture[0, 2])
