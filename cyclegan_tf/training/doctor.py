"""Signs that a training goes wrong: measures, and a table of what is a finding.

The limits are lenient: a finding should be worth stopping for, and none is no proof of
health. Beside each stands what runs of the embedded dataset gave, in both directions
and after each epoch, with its own settings ("healthy") and with settings that fail.

Images are uint8 `(count, height, width, 3)`, as they are shown, whatever their domain's
form is.
"""

import math
from typing import NamedTuple

import numpy as np

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.config.architectures import GENERATORS, kind_of

# A discriminator is sure of everything where its patch scores are right to 0.2 rms, and
# the generator fools almost no patch. Healthy: D 0.12 to 0.27, G 0.27 to 0.51; a run at
# learning rate 0.05: 0.001 and 1.00; with cycle and identity weights of 300: 0.023 and
# 0.94, which is not reported.
WON_DISCRIMINATOR_LOSS, WON_GENERATOR_LOSS = 0.02, 0.8
# A peak must stand out that many times more than in real images. Healthy with
# transposed convolutions: up to 7.8 times for visible peaks, 14 times for peaks of 0.6
# grey levels; hence the faint hatching that they draw on meadows is not reported. With
# resizing: 1.7 and 3.2 times. Without cycle and identity losses: 34 to 330 times.
MIN_PEAK_CONTRAST = 12.0
# Half-widths in cycles per pixel of a peak, and of the surroundings it stands out from.
PEAK_WIDTH, SURROUNDINGS_WIDTH = 1 / 64, 1 / 16
# Scores in a row. The embedded dataset's own run is better from its first score on; on
# photographs at 64 px kernel distances stayed worse to the end of 3,000 steps.
MIN_WORSE_SCORES = 3


class Sign(NamedTuple):
    """A failure that a number tells: nothing is wrong from `low` to `high`.

    The sentence says what was measured, of what, and which flag helps; where that
    depends on the run, as `advice` has it.
    """

    low: float
    high: float
    sentence: str


SIGNS = {
    # Healthy: 0.62 to 0.73; unrelated images: about 0; photographic negatives: -1.
    "colour inversion": Sign(
        -0.3,
        math.inf,
        "{of} inverts brightness: before and after correlate by {value:.2f}, which no "
        "longer training mends; --restart with {larger_identity}another --seed.",
    ),
    # Healthy: 17 to 26, and with a mask, where small animals alone change, 2.8 to 5.9.
    # Added to their images, with cycle and identity weights of 10 and 5: about 0.1, by
    # the error of their round trips.
    "identity": Sign(
        1.0,
        math.inf,
        "{of} returns its input: the two differ by {value:.1f} grey levels; --restart "
        "with a smaller {identity_or}{tie}.",
    ),
    # Healthy: 0.72 to 1.25; a run at learning rate 0.05: 0.00; without cycle and
    # identity losses: 0.31, which is not reported.
    "one image": Sign(
        0.2,
        math.inf,
        "{of} makes the same of every image: outputs vary by {value:.1%} of what their "
        "inputs do; --restart with a smaller --learning-rate or a larger {tie}.",
    ),
    # Must be visible. Without cycle and identity losses: 9 to 32.
    "checkerboard": Sign(
        0.0,
        3.0,
        "{of} draws a checkerboard: a pattern that repeats every 2 or 4 px, of "
        "{value:.1f} grey levels (rms), which real images lack; if it stays, --restart "
        "with {smooth}.",
    ),
    "has won": Sign(
        0,
        1,
        "{of} has won: for {value} epochs its loss is below "
        f"{WON_DISCRIMINATOR_LOSS} and that of the generator it judges above "
        f"{WON_GENERATOR_LOSS}; --restart with a smaller --learning-rate, or a smaller "
        "{identity_or}{tie}{or_patch46}.",
    ),
    # Healthy: 0.11 to 0.26; no failing run was met. A loss of 0.25 alone is no sign:
    # the game ideally ends there, and the scores still differ from patch to patch.
    "has given up": Sign(
        0.01,
        math.inf,
        "{of} has given up: its scores of all patches, real and fake, are the same "
        "(standard deviation {value:.4f}), from which no generator learns; --restart "
        "with a smaller --learning-rate.",
    ),
    "worse than nothing": Sign(
        -math.inf,
        0.0,
        "{of} is worse than untranslated images ({score} {now:.4g} against "
        "{nothing:.4g}), and at this pace still is after step {last_step}; --restart "
        "with more --epochs or a smaller --image-size.",
    ),
    # Faster input would shorten the training by so much. Healthy: 0.01.
    "starved input": Sign(
        0.0,
        0.2,
        "{value:.0%} of the time went into waiting for images: --cache memory decodes "
        "them once; if they are in memory, more CPU cores help.",
    ),
}


def advice(config: TrainConfig, has_identity: bool) -> dict[str, str]:
    """What the sentences of `SIGNS` name of the flags that do something in a run.

    It `has_identity` losses where A and B have as many channels; a student learns from
    its teacher instead of round trip and identity.
    """
    has_identity = has_identity and config.teacher is None
    tie = "--cycle-weight" if config.teacher is None else "--teacher-weight"
    has_upsampling = "upsampling" in kind_of(GENERATORS, config.generator).options
    can_resize = has_upsampling and config.upsampling != "resize"
    return {
        "tie": tie,
        "larger_identity": "a larger --identity-weight or " * has_identity,
        "identity_or": "--identity-weight or " * has_identity,
        "smooth": "--upsampling resize" if can_resize else f"a larger {tie}",
        "or_patch46": ", or --discriminator patch46"
        * (config.discriminator != "patch46"),
    }


class Finding(NamedTuple):
    """What went wrong: a few words, the same each time, and a sentence."""

    name: str
    sentence: str


def finding(sign: str, of: str, value: float | None, **details) -> Finding | None:
    """What a number, if it is known, tells of "A to B", "D_A" and so on; or None.

    The sentence of the sign, one of `SIGNS`, may have more `details`; without `advice`
    it is that for the default options.
    """
    low, high, sentence = SIGNS[sign]
    if value is None or low <= value <= high:
        return None
    details = advice(TrainConfig(), has_identity=True) | details
    text = sentence.format(of=of, value=value, **details)
    name = f"{of} {sign}" if sign.startswith("has") else f"{sign} {of}".strip()
    return Finding(name, text)


def luminance_correlation(images, translated) -> float:
    """Median over the images of the correlation of their luminance, in [-1, 1].

    An image without contrast counts as uncorrelated.
    """
    bt601 = np.array([0.299, 0.587, 0.114])
    before, after = (
        (np.float64(x) @ bt601).reshape(len(x), -1) for x in (images, translated)
    )
    before, after = (x - x.mean(axis=1, keepdims=True) for x in (before, after))
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(np.median((before * after).sum(axis=1) / np.maximum(norms, 1e-9)))


def mean_change(images, translated) -> float:
    """Median over the images of the mean absolute change, in grey levels."""
    change = np.abs(np.float64(translated) - np.float64(images))
    return float(np.median(change.mean(axis=(1, 2, 3))))


def variety(images, translated) -> float | None:
    """How much the outputs vary from image to image, as a share of the inputs.

    That is the ratio of the standard deviations over the images, each averaged over the
    pixels; None where the inputs do not vary.
    """
    before, after = (np.float64(x).std(axis=0).mean() for x in (images, translated))
    return float(after / before) if before else None


def epochs_won(losses) -> int:
    """For how many epochs a discriminator has now been sure of everything.

    `losses` are means per epoch, the newest last: of it, and of the generator that it
    judges, `G_B` for `D_A` and `G_A` for `D_B`.
    """
    epochs = 0
    for loss, opposing in reversed(losses):
        if loss >= WON_DISCRIMINATOR_LOSS or opposing <= WON_GENERATOR_LOSS:
            break
        epochs += 1
    return epochs


def expected_excess(scores, nothing, last_step) -> float | None:
    """What the score at the end is expected to be above that of untranslated images.

    It goes by the pace of the last few scores, which is lenient: late in a run less is
    learned. `scores` are step and score of every evaluation, the newest last; lower is
    better. None where there are fewer, or one of them is better than `nothing`, that of
    untranslated images.
    """
    scores = scores[-MIN_WORSE_SCORES:]
    if len(scores) < MIN_WORSE_SCORES or min(x for _, x in scores) <= nothing:
        return None
    (first, before), (step, now) = scores[0], scores[-1]
    return now + (now - before) / (step - first) * (last_step - step) - nothing


def checkerboard_levels(translated, real) -> float:
    """The rms strength of the upsampling's pattern, in grey levels.

    Two layers double the size of the image: what they draw unevenly repeats every 2 or
    4 pixels, and has peaks in the spectrum at multiples of a quarter cycle per pixel.
    Counted are peaks that stand out from their surroundings more than
    `MIN_PEAK_CONTRAST` times as much as in real images, any of the domain that the
    translations should look like: motifs, and the blocks of JPEG files, have some, too.

    Source: Odena et al. 2016, doi:10.23915/distill.00003, for the artefact.
    """
    peaks, surroundings = _lattice_power(translated)
    real_peaks, real_surroundings = _lattice_power(real)
    # That a motif has less than its surroundings does not make a peak suspicious.
    usual = np.maximum(1.0, real_peaks / np.maximum(real_surroundings, 1e-12))
    is_pattern = peaks > MIN_PEAK_CONTRAST * usual * surroundings
    return float(np.sqrt(np.sum((peaks - surroundings)[is_pattern])))


def _lattice_power(images):
    """Power around each multiple of a quarter cycle per pixel, except none.

    float64 `(15,)` twice, in squared grey levels: within the peak's width, and what its
    surroundings would give in the same width.
    """
    # The mean over images and channels; its sum is a variance.
    pixels = np.float64(images)
    height, width = pixels.shape[1:3]
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    # A window, or the jump between opposite borders would fill the axes.
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    window /= np.sqrt(np.mean(window**2))
    transformed = np.fft.fft2(pixels * window[..., None], axes=(1, 2))
    power = np.mean(np.abs(transformed / (height * width)) ** 2, axis=(0, 3))
    near = [max(1, round(PEAK_WIDTH * side)) for side in power.shape]
    # At least so many bins that the peak is a small part, which a median does not see.
    far = [max(3, round(SURROUNDINGS_WIDTH * side)) for side in power.shape]
    peaks, surroundings = [], []
    for i, j in [*np.ndindex(4, 4)][1:]:
        centre = round(i * height / 4), round(j * width / 4)
        peak = _around(power, centre, near)
        peaks.append(peak.sum())
        surroundings.append(np.median(_around(power, centre, far)) * peak.size)
    return np.array(peaks), np.array(surroundings)


def _around(power, centre, half_widths):
    """The part of a spectrum around a place, over its borders."""
    for axis, (place, half) in enumerate(zip(centre, half_widths, strict=True)):
        places = range(place - half, place + half + 1)
        power = power.take(places, axis, mode="wrap")
    return power
