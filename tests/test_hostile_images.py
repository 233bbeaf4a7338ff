import time

import pytest

from cyclegan_tf import images
from tests import hostile_images


def test_hostile_files_are_images_or_refusals():
    outcomes, slowest, peak = hostile_images.feed(400, seed=0)
    assert sum(outcomes.values()) == 2 * 400
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


def test_comment_that_inflates_is_refused_or_bounded():
    bomb = hostile_images.traps()[7]
    assert len(bomb) < 100_000
    with pytest.raises(images.UnreadableImage, match="[Tt]oo large|memory|exceed"):
        images.normalize(bomb)
