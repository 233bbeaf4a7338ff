"""Ranges of values as options give them: 0,4095, or the percentiles p0.5,p99.5.

Of one channel after the other, such as 0,60000,100,900; or found for each by itself:
per-channel, or per-channel,p0.5,p99.5.
"""

from typing import NamedTuple

from cyclegan_tf.common.errors import InputError

PER_CHANNEL = "per-channel"


class Range(NamedTuple):
    """What `--range-a` says.

    Attributes:
        lows, highs: values, or percentiles: one for all channels, or one for each.
        are_percentiles: which of them.
        is_per_channel: whether each channel has a range of its own.
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    are_percentiles: bool = False
    is_per_channel: bool = False


def require_range(name: str, text: str) -> Range:
    """The range that the value of a flag gives; `InputError` if it is none."""
    first, *rest = parts = [part.strip() for part in text.split(",")]
    if first == PER_CHANNEL:
        parts = rest or ["p0", "p100"]
    are_percentiles = all(part.startswith("p") for part in parts)
    try:
        numbers = [float(part[1:] if are_percentiles else part) for part in parts]
        if len(numbers) % 2 or (first == PER_CHANNEL and not are_percentiles):
            raise ValueError
    except ValueError:
        raise InputError(
            f"{name} takes two values, such as 0,4095, or two percentiles, such as "
            f"p0.5,p99.5; or two for each channel, one after the other; or "
            f"{PER_CHANNEL}, with two percentiles after it or not; got {text!r}."
        ) from None
    lows, highs = tuple(numbers[::2]), tuple(numbers[1::2])
    for low, high in zip(lows, highs, strict=True):
        if not -float("inf") < low < high < float("inf"):
            raise InputError(f"{name}: {text} is no range; give the lower value first.")
        if are_percentiles and not 0 <= low < high <= 100:
            raise InputError(f"{name}: percentiles are between 0 and 100, got {text}.")
    is_per_channel = first == PER_CHANNEL or len(lows) > 1
    return Range(lows, highs, are_percentiles, is_per_channel)
