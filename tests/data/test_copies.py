import io

import numpy as np
import pytest
import scipy.fft
import tensorflow as tf
from PIL import Image, ImageOps

from cyclegan_tf.data import copies, looks
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.picture import Picture
from tests.data.hostile_files import encode
from tests.helpers import random_pixels, random_values


def photographs(count, size=96):
    """Smooth pictures with noise, all different."""
    noise = np.random.default_rng(0).normal(0, 12, (count, size, size, 3))
    pixels = [random_pixels(size, size, seed) for seed in range(count)]
    return [Image.fromarray(np.uint8(np.clip(x, 0, 255))) for x in pixels + noise]


def looks_of(pictures):
    seen = [looks.look_at(Picture(np.asarray(x)))[1] for x in pictures]
    return np.array(seen, looks.LOOK)


def as_jpeg(picture, quality):
    return Image.open(io.BytesIO(encode(picture, "JPEG", quality=quality)))


def phash(pixels):
    """As the package ImageHash defines it, with SciPy's transform."""
    transform = scipy.fft.dct(scipy.fft.dct(pixels, axis=0), axis=1)[:8, :8]
    return transform > np.median(transform)


def bits_of(number):
    return np.unpackbits(np.array([number]).view(np.uint8)).reshape(8, 8).astype(bool)


def test_hash_is_that_of_imagehash_for_images_and_their_mirror_images():
    images = np.random.default_rng(0).uniform(0, 255, (5, 32, 32))
    for image in images:
        plain, mirrored = hashes = looks.perceptual_hashes(image)
        assert hashes.dtype == np.uint64
        np.testing.assert_array_equal(bits_of(plain), phash(image))
        np.testing.assert_array_equal(bits_of(mirrored), phash(image[:, ::-1]))


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: as_jpeg(picture, 50),
        lambda picture: picture.resize((48, 48)),
        lambda picture: picture.resize((200, 150)),
        ImageOps.mirror,
        lambda picture: as_jpeg(ImageOps.mirror(picture).resize((64, 64)), 75),
    ],
)
def test_every_copy_is_found_and_nothing_else(change):
    pictures = photographs(40)
    originals = looks_of(pictures)
    changed = looks_of([change(picture) for picture in pictures[::2]])
    found, num_compared = copies.find_copies(changed, originals)
    assert found.tolist() == [[i, 2 * i] for i in range(20)]
    assert num_compared == 20


def test_within_a_set_a_copy_is_one_of_an_image_before():
    pictures = photographs(6)
    repeated = [pictures[0], *pictures, as_jpeg(pictures[2], 80), pictures[2]]
    found, _ = copies.find_copies(looks_of(repeated))
    assert found.tolist() == [[1, 0], [7, 3], [8, 3], [8, 7]]


def test_pictures_of_the_same_hash_are_told_apart_by_their_thumbnails():
    seen = looks_of(photographs(2))
    seen["hashes"][1] = seen["hashes"][0]
    assert len(copies.find_copies(seen)[0]) == 0


def test_there_may_be_no_images():
    none = looks_of([])
    some = looks_of(photographs(2))
    for images, others in ((none, None), (none, some), (some, none)):
        assert copies.find_copies(images, others)[0].shape == (0, 2)


def test_of_too_many_some_are_drawn(monkeypatch):
    monkeypatch.setattr(copies, "MAX_PAIRS", 200)
    seen = looks_of(photographs(20) * 2)
    found, num_compared = copies.find_copies(seen)
    assert num_compared == 5
    assert (found[:, 0] - found[:, 1] == 20).all()


def test_block_does_not_matter(monkeypatch):
    seen = looks_of(photographs(15) * 2)
    whole, _ = copies.find_copies(seen)
    assert whole.tolist() == [[i + 15, i] for i in range(15)]
    monkeypatch.setattr(copies, "BLOCK", 50)
    np.testing.assert_array_equal(copies.find_copies(seen)[0], whole)


@pytest.mark.parametrize("shape", [(96, 70, 3), (200, 333, 1), (16, 20, 5)])
def test_shrunk_images_are_those_of_tensorflow(shape):
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    smooth = random_values(Domain(shape[2]), 1, *shape[:2])[0]
    for pixels, is_exact, tolerance in ((noise, True, 0.01), (smooth, False, 2.5)):
        expected = tf.image.resize(pixels[..., :3], (32, 32), antialias=True)
        found = np.moveaxis(looks.shrunk(pixels, is_exact), 0, -1)
        np.testing.assert_allclose(found, expected, atol=tolerance)


def test_spread_is_that_of_all_but_a_twentieth():
    image = np.full((2, 32, 32), 7, np.float32)
    image[1, 0] = 9  # 32 of 1,024
    assert looks.spread(image) == 0
    image[0, 1, :20] = 4  # 52 of them
    assert looks.spread(image) == 2
