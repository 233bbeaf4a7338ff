import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.data import records
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import normalize, pixels_of
from tests.data.hostile_files import encode
from tests.helpers import random_pixels

# Smooth, as photographs are: noise hides how colours of half the size are enlarged.
SMALL = Image.fromarray(random_pixels(12, 17))
PHOTO = SMALL.resize((97, 65), Image.Resampling.BICUBIC)


def parsed(image):
    return records.parse(records.serialize(image, "name"))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpegs_have_the_pixels_that_translations_start_from(mode, quality, options):
    data = encode(PHOTO.convert(mode), "JPEG", quality=quality, **options)
    image = normalize(data)
    assert image.encoded == data
    with Image.open(io.BytesIO(data)) as picture:
        expected = np.atleast_3d(np.asarray(picture))
    for channels in (1, 3):
        domain = Domain(channels)
        found = records.decode(parsed(image), domain).numpy()
        np.testing.assert_array_equal(found, pixels_of(data, domain), strict=True)
        if channels == expected.shape[-1]:
            np.testing.assert_array_equal(found, expected)
