"""What the colour profiles of images are called, and whether a domain mixes them."""

import contextlib
import functools
import io
from collections import Counter

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from cyclegan_tf.common.console import printable

MAX_NAMED = 4


def profile_of(data: bytes) -> bytes:
    """The ICC profile of the content of a JPEG or PNG file, or b""."""
    with (
        contextlib.suppress(UnidentifiedImageError),
        Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image,
    ):
        return image.info.get("icc_profile") or b""
    return b""


@functools.lru_cache
def name_of(profile: bytes) -> str:
    """What an ICC profile calls itself, in ASCII; empty where there is none."""
    if not profile:
        return ""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(opened).strip()
    except (ImageCms.PyCMSError, OSError):
        name = ""
    return printable(name).encode("ascii", "replace").decode() or "one without a name"


def differing(looks: dict[str, np.ndarray]) -> list[str]:
    """A sentence for each domain whose images have different profiles.

    Args:
        looks: of the images of each split, see `looks`.
    """
    sentences = []
    for domain in "AB":
        counts = Counter()
        for split, seen in looks.items():
            if split.endswith(domain):
                counts.update(seen["profile"].tolist())
        if len(counts) > 1:
            named = [
                f"{n} have {name.decode() or 'none'}"
                for name, n in counts.most_common(MAX_NAMED)
            ]
            if len(counts) > MAX_NAMED:
                rest = counts.most_common()[MAX_NAMED:]
                named.append(f"{sum(n for _, n in rest)} one of {len(rest)} others")
            sentences.append(
                f"domain {domain}: colour profiles differ, and are not converted: of "
                f"its images {', '.join(named)}"
            )
    return sentences
