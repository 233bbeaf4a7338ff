import time

import pytest

from cyclegan_tf.data import images
from tests.stress import hostile_images


def test_hostile_files_are_images_or_refusals():
    outcomes, slowest, peak = hostile_images.feed(300, seed=0)
    assert sum(outcomes.values()) == 2 * 300
    assert {outcome for _, outcome in outcomes} >= {"read", "refused"}


def test_good_files_of_every_kind_are_read():
    for data in hostile_images.good_files():
        assert min(images.normalize(data)[2:]) >= 40


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_gigantic_header_is_refused_without_decoding(size):
    start = time.monotonic()
    with pytest.raises(images.UnreadableImage):
        images.normalize(hostile_images.png((*size, 8, 2, 0), (b"IDAT", b"")))
    assert time.monotonic() - start < 5  # generous: decoding would take all memory


def test_scans_without_end_are_refused_before_they_take_long():
    few, many = (
        data for data in hostile_images.traps() if data.count(b"\xff\xda") > 100
    )
    assert len(many) < 50_000
    images.normalize(few)
    with pytest.raises(images.UnreadableImage, match="more than 200 scans"):
        images.normalize(many)


def test_damaged_exif_does_not_cost_the_picture():
    picture = hostile_images.good_files()[5]
    for entry in hostile_images.BROKEN_EXIF:
        segment = hostile_images.exif_segment(*entry)
        images.normalize(picture[:2] + segment + picture[2:])


def test_comment_that_inflates_is_refused_or_bounded():
    bomb = hostile_images.traps()[7]
    assert len(bomb) < 100_000
    with pytest.raises(images.UnreadableImage, match="[Tt]oo large|memory|exceed"):
        images.normalize(bomb)
