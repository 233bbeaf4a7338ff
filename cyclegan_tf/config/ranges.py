"""Ranges of values as options give them: 0,4095, or the percentiles p0.5,p99.5."""

from typing import NamedTuple

from cyclegan_tf.common.errors import InputError


class Range(NamedTuple):
    """What `--range-a` says: two values, or two percentiles of all values."""

    low: float
    high: float
    is_percentiles: bool


def require_range(name: str, text: str) -> Range:
    """The range that an option gives.

    Args:
        name: of the flag.
        text: its value.

    Raises:
        InputError: it is neither two numbers nor two percentiles, or is empty.
    """
    parts = [part.strip() for part in text.split(",")]
    is_percentiles = all(part.startswith("p") for part in parts)
    try:
        low, high = (float(part[1:] if is_percentiles else part) for part in parts)
    except ValueError:
        raise InputError(
            f"{name} takes two values, such as 0,4095, or two percentiles, such as "
            f"p0.5,p99.5, got {text!r}."
        ) from None
    is_finite = abs(low) < float("inf") and abs(high) < float("inf")
    if not (low < high and is_finite):
        raise InputError(f"{name}: {text} is no range; give the lower value first.")
    if is_percentiles and not 0 <= low < high <= 100:
        raise InputError(f"{name}: percentiles are between 0 and 100, got {text}.")
    return Range(low, high, is_percentiles)
