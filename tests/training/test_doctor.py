import dataclasses
import re

import keras
import numpy as np
import pytest

from cyclegan_tf.config import TrainConfig, flag
from cyclegan_tf.data import drawing
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.ranges import to_unit_range, to_values
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.training import doctor

RNG = np.random.default_rng(0)
SIZE = 64


def drawn(coat, seeds):
    return np.stack([drawing.draw((0, i), coat, SIZE)[0] for i in seeds])


BROWN, STRIPED = drawn("brown", range(16)), drawn("striped", range(16))
# Other scenes of the same domain, as real images are to the fakes.
OTHER_STRIPED = drawn("striped", range(16, 32))


def perturbed(images, levels=4.0):
    """As a generator that leaves much as it is: noise, and another contrast."""
    noisy = 0.9 * images + 8 + RNG.normal(0, levels, images.shape)
    return np.uint8(np.clip(noisy, 0, 255))


HEALTHY = perturbed(STRIPED)  # what a good generator would make of BROWN


def tiles(pattern):
    """A pattern repeated over a picture, (SIZE, SIZE, 1)."""
    repeats = [SIZE // side for side in np.shape(pattern)]
    return np.tile(pattern, repeats)[..., None]


def with_pattern(images, pattern, levels):
    """Adds a pattern of mean 0 and rms 1, times `levels`."""
    pattern = np.float64(pattern) - np.mean(pattern)
    pattern /= np.sqrt(np.mean(pattern**2))
    return np.uint8(np.clip(images + levels * tiles(pattern), 0, 255))


CHECKER = [[1, 0], [0, 1]]
COLUMNS = [[1, 0], [1, 0]]
DOTS_OF_FOUR = [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def found(images, fakes, others=OTHER_STRIPED):
    """The signs that translations have, and what is said of them."""
    values = {
        "colour inversion": doctor.luminance_correlation(images, fakes),
        "identity": doctor.mean_change(images, fakes),
        "one image": doctor.variety(images, fakes),
        "checkerboard": doctor.checkerboard_levels(fakes, others),
    }
    findings = {x: doctor.finding(x, "A to B", value) for x, value in values.items()}
    return {x: finding.sentence for x, finding in findings.items() if finding}


NOISE = RNG.integers(0, 256, BROWN.shape, np.uint8)
# Of low contrast, yet different.
FAINT = np.uint8(100 + 0.3 * (STRIPED - 100.0))
NEARLY = np.clip(BROWN + RNG.integers(-1, 2, BROWN.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "fakes, sign, words",
    [
        (255 - BROWN, "colour inversion", "correlate by -1.00"),
        # The mean of |-2 … 2|.
        (NEARLY, "identity", "differ by 0.7 grey levels"),
        (
            perturbed(np.repeat(STRIPED[:1], 16, axis=0), levels=2),
            *("one image", "makes the same of every image"),
        ),
        (with_pattern(HEALTHY, CHECKER, 6), "checkerboard", "every 2 or 4 px"),
        (with_pattern(HEALTHY, COLUMNS, 6), "checkerboard", "every 2 or 4 px"),
        (with_pattern(HEALTHY, DOTS_OF_FOUR, 20), "checkerboard", "every 2 or 4 px"),
    ],
)
def test_failures_are_found(fakes, sign, words):
    findings = found(BROWN, fakes)
    assert list(findings) == [sign]
    assert findings[sign].startswith("A to B ") and words in findings[sign]


@pytest.mark.parametrize(
    "images, fakes, others",
    [
        (BROWN, HEALTHY, OTHER_STRIPED),
        # All but the animals, a seventh of the picture, stays to the bit.
        (BROWN, STRIPED, OTHER_STRIPED),
        (BROWN, NOISE, OTHER_STRIPED),
        (BROWN, FAINT, OTHER_STRIPED),
        (STRIPED, perturbed(BROWN), STRIPED),
        # A pattern that real images have, too.
        (
            BROWN,
            *(with_pattern(x, CHECKER, 8) for x in (HEALTHY, OTHER_STRIPED)),
        ),
    ],
)
def test_what_is_no_failure_is_not_found(images, fakes, others):
    assert not found(images, fakes, others)
    assert doctor.luminance_correlation(BROWN, HEALTHY) > 0.5


def test_correlation_equals_longhand():
    weights = 0.299, 0.587, 0.114
    expected = []
    for a, b in zip(BROWN[:3], STRIPED[:3], strict=True):
        a, b = (
            sum(w * x[..., c].astype(float) for c, w in enumerate(weights))
            for x in (a, b)
        )
        expected.append(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    measured = doctor.luminance_correlation(BROWN[:3], STRIPED[:3])
    assert measured == pytest.approx(sorted(expected)[1])
    # An image without contrast counts as uncorrelated.
    assert doctor.luminance_correlation(BROWN, np.zeros_like(BROWN)) == 0


@pytest.mark.parametrize("inputs", [BROWN[:1], np.repeat(BROWN[:1], 4, axis=0)])
def test_variety_of_one_image_is_unknown(inputs):
    assert doctor.variety(inputs, inputs) is None
    assert doctor.finding("one image", "A to B", None) is None


@pytest.mark.parametrize(
    "losses, epochs",
    [
        ([(0.2, 0.4), (0.015, 0.9), (0.004, 0.97)], 2),
        ([(0.004, 0.97)], 1),
        ([(0.15, 0.4), (0.004, 0.97)], 1),
        ([(0.246, 0.289), (0.229, 0.295), (0.219, 0.293)], 0),  # the embedded dataset
        ([(0.25, 0.25), (0.25, 0.25)], 0),  # where the game ideally ends
        ([(0.06, 0.75), (0.05, 0.8)], 0),  # strong, and the generator gets through
    ],
)
def test_discriminator_that_is_always_right_for_two_epochs_has_won(losses, epochs):
    assert doctor.epochs_won(losses) == epochs
    finding = doctor.finding("has won", "D_A", epochs)
    assert bool(finding) == (epochs > 1)
    if finding:
        assert finding.name == "D_A has won"
        assert "for 2 epochs its loss is below 0.02" in finding.sentence


@pytest.mark.parametrize("seed", range(3))
def test_only_transposed_convolutions_draw_checkerboards(seed):
    """Without training, as Odena et al. found."""
    drawn = {}
    for upsampling in ("transpose", "resize"):
        keras.utils.set_random_seed(seed)
        generator = build_generator(16, 3, upsampling=upsampling)
        fakes = to_values(generator(to_unit_range(BROWN, Domain())), Domain()).numpy()
        drawn[upsampling] = "checkerboard" in found(BROWN, fakes)
    assert drawn == {"transpose": True, "resize": False}


def test_strength_of_a_checkerboard_is_measured_in_grey_levels():
    grey = RNG.normal(128, 2, (4, SIZE, SIZE, 3))
    fakes = with_pattern(grey, CHECKER, levels=10)
    measured = doctor.checkerboard_levels(fakes, STRIPED)
    assert measured == pytest.approx(10, rel=0.05)


def test_checkerboard_in_the_sky_alone_is_found():
    fakes = HEALTHY.copy()
    fakes[:, : SIZE // 3] = with_pattern(HEALTHY, CHECKER, 16)[:, : SIZE // 3]
    assert "checkerboard" in found(BROWN, fakes)


@pytest.mark.parametrize("period", [8, 16])
def test_patterns_of_other_periods_are_no_checkerboard(period):
    # Their harmonics at 2 and 4 px are left out: a cosine has none.
    wave = np.cos(2 * np.pi * np.arange(period) / period)
    pattern = np.broadcast_to(wave, (period, period))
    assert "checkerboard" not in found(BROWN, with_pattern(HEALTHY, pattern, levels=8))


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (2, 20, 36, 3), (1, 256, 256, 3)])
def test_checkerboard_is_looked_for_in_images_of_all_sizes(shape):
    fakes, real = RNG.normal(128, 10, (2, *shape))
    assert "checkerboard" not in found(real, fakes, real)
    rows, columns = np.indices(shape[1:3])
    pattern = ((rows + columns) % 2 * 2.0 - 1)[..., None]
    assert "checkerboard" in found(real, fakes + 20 * pattern, real)


# At this pace the last of these is where the line below goes on.
FALLING = [(500, 400.0), (1000, 350.0), (1500, 300.0)]


@pytest.mark.parametrize(
    "scores, last_step, excess",
    [
        (FALLING, 1500, 150),
        (FALLING, 2999, pytest.approx(0.1)),
        (FALLING, 3000, 0),  # no better than nothing, and no worse
        (FALLING[1:], 1500, None),
        ([*FALLING, (2000, 149.0), (2500, 160.0)], 2500, None),  # it was better once
    ],
)
def test_scores_that_will_stay_worse_than_nothing_are_found(scores, last_step, excess):
    assert doctor.expected_excess(scores, 150.0, last_step) == excess


@pytest.mark.parametrize(
    "options, has_identity, sign, advised",
    [
        ({}, True, "colour inversion", "--restart --identity-weight --seed"),
        ({}, False, "colour inversion", "--restart --seed"),
        ({}, False, "identity", "--restart --cycle-weight"),
        ({}, True, "checkerboard", "--restart --upsampling"),
        ({"upsampling": "resize"}, True, "checkerboard", "--restart --cycle-weight"),
        ({"generator": "mobile"}, True, "checkerboard", "--restart --cycle-weight"),
        (
            {"generator": "mobile", "teacher": "runs/x"},
            *(True, "checkerboard", "--restart --teacher-weight"),
        ),
        ({"teacher": "runs/x"}, True, "identity", "--restart --teacher-weight"),
        (
            {"discriminator": "patch70"},
            *(False, "has won"),
            "--restart --learning-rate --cycle-weight --discriminator",
        ),
    ],
)
def test_flags_that_do_nothing_in_a_run_are_not_advised(
    options, has_identity, sign, advised
):
    values = {"colour inversion": -1.0, "checkerboard": 8.0, "has won": 2}
    advice = doctor.advice(TrainConfig(**options), has_identity)
    finding = doctor.finding(sign, "A", values.get(sign, 0.0), **advice)
    assert re.findall(r"--[a-z-]+", finding.sentence) == advised.split()


def test_findings_name_flags_that_exist_and_tell_numbers():
    scored = {"score": "swd", "now": 300.0, "nothing": 150.0, "last_step": 2999}
    wrong = {
        "colour inversion": -1.0,
        "identity": 0.0,
        "one image": 0.0,
        "checkerboard": 8.0,
        "has won": 2,
        "has given up": 0.001,
        "worse than nothing": 1.0,
        "starved input": 0.43,
    }
    assert wrong.keys() == doctor.SIGNS.keys()
    findings = [doctor.finding(sign, "A", x, **scored) for sign, x in wrong.items()]
    flags = {flag(field.name) for field in dataclasses.fields(TrainConfig)}
    for finding in findings:
        named = re.findall(r"--[a-z-]+", finding.sentence)
        assert named and set(named) <= flags
    said = " ".join(finding.sentence for finding in findings)
    for words in (
        "43% of the time",
        "(standard deviation 0.0010)",
        "(swd 300 against 150)",
        "after step 2999",
    ):
        assert words in said
