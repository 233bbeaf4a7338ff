"""Signs that a training goes wrong: pure functions on images, scores and losses.

Each looks for one failure and returns a `Finding`, or None. The thresholds are lenient:
a finding should be worth stopping for, and none is no proof of health. Beside each
stands what runs of the embedded dataset gave, in both directions and after each epoch,
with its own settings ("healthy") and with settings that fail.

Images are uint8 `(count, height, width, 3)`, as they are shown, whatever their domain's
form is; a direction reads "A to B".
"""

from typing import NamedTuple

import numpy as np

# Healthy: 0.62 to 0.73; unrelated images: about 0; photographic negatives: -1.
MAX_INVERTED_CORRELATION = -0.3
# In grey levels, about what one sees side by side. Healthy: 17 to 26. No failing run
# was met: even with cycle and identity weights of 300 it is 16.
MIN_CHANGE = 3.0
# Healthy: 0.72 to 1.25; a run at learning rate 0.05: 0.00; without cycle and identity
# losses: 0.31, which is not reported.
MIN_VARIETY = 0.2
# Both losses for that many epochs: patch scores are then right to 0.2 rms, and the
# generator fools almost no patch. Healthy: D 0.12 to 0.27, G 0.27 to 0.51; a run at
# learning rate 0.05: 0.001 and 1.00; with cycle and identity weights of 300:
# 0.023 and 0.94, which is not reported.
WON_DISCRIMINATOR_LOSS, WON_GENERATOR_LOSS, WON_EPOCHS = 0.02, 0.8, 2
# Healthy: 0.11 to 0.26; no failing run was met. A loss of 0.25 alone is no sign: the
# game ideally ends there, and then the scores still differ from patch to patch.
MIN_SCORE_DEVIATION = 0.01
# A peak must stand out that many times more than in real images, and all such peaks
# together must be visible, in grey levels. Healthy with transposed convolutions: up to
# 7.8 times for visible peaks, 14 times for peaks of 0.6 grey levels; hence the faint
# hatching that they draw on meadows is not reported. With resizing: 1.7 and 3.2 times.
# Without cycle and identity losses: 34 to 330 times, 9 to 32 grey levels.
MIN_PEAK_CONTRAST, MIN_PEAK_LEVELS = 12.0, 3.0
# Half-widths in cycles per pixel of a peak, and of the surroundings it stands out from.
PEAK_WIDTH, SURROUNDINGS_WIDTH = 1 / 64, 1 / 16
# Scores in a row. The embedded dataset's own run is better from its first score on; on
# photographs at 64 px kernel distances stayed worse to the end of 3,000 steps.
MIN_WORSE_SCORES = 3
# Faster input would shorten the training by so much. Healthy: 0.01.
MAX_INPUT_WAIT = 0.2


class Finding(NamedTuple):
    """What went wrong.

    Attributes:
        name: a few words, the same each time.
        sentence: what was measured, and which flag helps.
    """

    name: str
    sentence: str


def colour_inversion(images, translated, direction) -> Finding | None:
    """Whether what was bright became dark, in most images."""
    correlation = luminance_correlation(images, translated)
    if correlation >= MAX_INVERTED_CORRELATION:
        return None
    return Finding(
        f"colour inversion {direction}",
        f"{direction} inverts brightness: before and after correlate by "
        f"{correlation:.2f}, which no longer training mends; --restart with a larger "
        f"--identity-weight or another --seed.",
    )


def luminance_correlation(images, translated) -> float:
    """Median over the images of the correlation of their luminance, in [-1, 1].

    An image without contrast counts as uncorrelated.
    """
    before, after = (_luminance(x).reshape(len(x), -1) for x in (images, translated))
    before, after = (x - x.mean(axis=1, keepdims=True) for x in (before, after))
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(np.median((before * after).sum(axis=1) / np.maximum(norms, 1e-9)))


def collapse_to_identity(images, translated, direction) -> Finding | None:
    """Whether most images come out as they went in."""
    change = mean_change(images, translated)
    if change >= MIN_CHANGE:
        return None
    return Finding(
        f"identity {direction}",
        f"{direction} returns its input: the two differ by {change:.1f} grey levels; "
        f"--restart with a smaller --identity-weight or --cycle-weight.",
    )


def mean_change(images, translated) -> float:
    """Median over the images of the mean absolute change, in grey levels."""
    change = np.abs(np.float64(translated) - np.float64(images))
    return float(np.median(change.mean(axis=(1, 2, 3))))


def collapse_to_one_image(images, translated, direction) -> Finding | None:
    """Whether different images come out nearly the same."""
    share = variety(images, translated)
    if share is None or share >= MIN_VARIETY:
        return None
    return Finding(
        f"one image {direction}",
        f"{direction} makes the same of every image: outputs vary by {share:.1%} of "
        f"what their inputs do; --restart with a smaller --learning-rate or a larger "
        f"--cycle-weight.",
    )


def variety(images, translated) -> float | None:
    """How much the outputs vary from image to image, as a share of the inputs.

    Returns:
        Ratio of the standard deviations over the images, each averaged over the
        pixels; None where the inputs do not vary.
    """
    before, after = (np.float64(x).std(axis=0).mean() for x in (images, translated))
    return float(after / before) if before else None


def discriminator_won(d_losses, g_losses, domain) -> Finding | None:
    """Whether a discriminator has been sure of everything for some epochs.

    Both losses are means per epoch, the newest last; `g_losses` are of the generator
    that it judges: `G_B` for `D_A`, and `G_A` for `D_B`.
    """
    d_losses, g_losses = d_losses[-WON_EPOCHS:], g_losses[-WON_EPOCHS:]
    if (
        len(d_losses) < WON_EPOCHS
        or max(d_losses) >= WON_DISCRIMINATOR_LOSS
        or min(g_losses) <= WON_GENERATOR_LOSS
    ):
        return None
    return Finding(
        f"D_{domain} has won",
        f"D_{domain} has won: its loss is {d_losses[-1]:.3f} and that of the generator "
        f"it judges {g_losses[-1]:.2f}, for {WON_EPOCHS} epochs; --restart with a "
        f"smaller --learning-rate, or smaller --cycle-weight and --identity-weight, or "
        f"--discriminator patch46 if it is another.",
    )


def discriminator_gave_up(real_scores, fake_scores, domain) -> Finding | None:
    """Whether a discriminator answers the same to every patch, real and fake."""
    scores = np.concatenate([np.ravel(real_scores), np.ravel(fake_scores)])
    if scores.std(dtype=np.float64) >= MIN_SCORE_DEVIATION:
        return None
    return Finding(
        f"D_{domain} has given up",
        f"D_{domain} has given up: its scores of real and fake images are all "
        f"{scores.mean():.2f} (standard deviation {scores.std():.4f}), from which no "
        f"generator learns; --restart with a smaller --learning-rate.",
    )


def checkerboard(translated, real, direction) -> Finding | None:
    """Whether translations have a pattern of the period of the upsampling.

    `real` are any images of the domain that they should look like.
    """
    levels = checkerboard_levels(translated, real)
    if levels < MIN_PEAK_LEVELS:
        return None
    return Finding(
        f"checkerboard {direction}",
        f"{direction} draws a checkerboard: a pattern that repeats every 2 or 4 px, of "
        f"{levels:.1f} grey levels (rms), which real images lack; if it stays, "
        f"--restart with --upsampling resize.",
    )


def checkerboard_levels(translated, real) -> float:
    """The rms strength of the upsampling's pattern, in grey levels.

    Two layers double the size of the image: what they draw unevenly repeats every 2 or
    4 pixels, and has peaks in the spectrum at multiples of a quarter cycle per pixel.
    Counted are peaks that stand out from their surroundings more than
    `MIN_PEAK_CONTRAST` times as much as in real images, where motifs, and the blocks
    of JPEG files, have some, too.

    Source: Odena et al. 2016, doi:10.23915/distill.00003, for the artefact.
    """
    peaks, surroundings = _lattice_power(translated)
    real_peaks, real_surroundings = _lattice_power(real)
    # That a motif has less than its surroundings does not make a peak suspicious.
    usual = np.maximum(1.0, real_peaks / np.maximum(real_surroundings, 1e-12))
    is_pattern = peaks > MIN_PEAK_CONTRAST * usual * surroundings
    return float(np.sqrt(np.sum((peaks - surroundings)[is_pattern])))


def worse_than_nothing(scores, nothing, last_step, name, direction) -> Finding | None:
    """Whether translations are, and will stay, farther from the target than inputs.

    Args:
        scores: step and score of every evaluation, the newest last; lower is better.
        nothing: the score of untranslated images.
        last_step: of the run.
        name: of the score.
    """
    scores = scores[-MIN_WORSE_SCORES:]
    if len(scores) < MIN_WORSE_SCORES or min(x for _, x in scores) <= nothing:
        return None
    # Lenient: what is learned late is less than what is learned early.
    (first, before), (step, now) = scores[0], scores[-1]
    expected = now + (now - before) / (step - first) * (last_step - step)
    if expected <= nothing:
        return None
    return Finding(
        f"worse than nothing {direction}",
        f"{direction} is worse than untranslated images ({name} {now:.4g} against "
        f"{nothing:.4g}), and at this pace still is after step {last_step}; --restart "
        f"with more --epochs or a smaller --image-size.",
    )


def starved_input(input_wait) -> Finding | None:
    """Whether the steps wait for images; `input_wait` is the share of time, 0 to 1."""
    if input_wait <= MAX_INPUT_WAIT:
        return None
    return Finding(
        "starved input",
        f"{input_wait:.0%} of the time went into waiting for images: --cache memory "
        f"decodes them once; if they are in memory, more CPU cores help.",
    )


def _luminance(images):
    """The luminance of RGB by BT.601, in grey levels."""
    return np.float64(images) @ np.array([0.299, 0.587, 0.114])


def _lattice_power(images):
    """Power around each multiple of a quarter cycle per pixel, except none.

    Returns:
        float64 `(15,)` twice, in squared grey levels: within the peak's width, and
        what its surroundings would give in the same width.
    """
    power = _power_spectrum(images)
    near = [max(1, round(PEAK_WIDTH * side)) for side in power.shape]
    # At least so many bins that the peak is a small part, which a median does not see.
    far = [max(3, round(SURROUNDINGS_WIDTH * side)) for side in power.shape]
    peaks, surroundings = [], []
    for i, j in [*np.ndindex(4, 4)][1:]:
        centre = [
            round(n * side / 4) for n, side in zip((i, j), power.shape, strict=True)
        ]
        peak = _around(power, centre, near)
        peaks.append(peak.sum())
        surroundings.append(np.median(_around(power, centre, far)) * peak.size)
    return np.array(peaks), np.array(surroundings)


def _power_spectrum(images):
    """float64 `(height, width)`, mean of images and channels; its sum is a variance."""
    pixels = np.float64(images)
    height, width = pixels.shape[1:3]
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    # A window, or the jump between opposite borders would fill the axes.
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    window /= np.sqrt(np.mean(window**2))
    transformed = np.fft.fft2(pixels * window[..., None], axes=(1, 2))
    return np.mean(np.abs(transformed / (height * width)) ** 2, axis=(0, 3))


def _around(power, centre, half_widths):
    """The part of a spectrum around a place, over its borders."""
    for axis, (place, half) in enumerate(zip(centre, half_widths, strict=True)):
        places = range(place - half, place + half + 1)
        power = power.take(places, axis, mode="wrap")
    return power
