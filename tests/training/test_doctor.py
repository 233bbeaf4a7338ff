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
    return np.stack([drawing.draw((0, i), coat, SIZE).image for i in seeds])


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


def test_negative_is_a_colour_inversion():
    finding = doctor.colour_inversion(BROWN, 255 - BROWN, "A to B")
    assert finding.name == "colour inversion A to B"
    assert "correlate by -1.00" in finding.sentence
    assert "--identity-weight" in finding.sentence


def test_translation_and_unrelated_images_are_no_inversion():
    assert doctor.colour_inversion(BROWN, HEALTHY, "A to B") is None
    assert doctor.luminance_correlation(BROWN, HEALTHY) > 0.5
    noise = RNG.integers(0, 256, BROWN.shape, np.uint8)
    assert doctor.colour_inversion(BROWN, noise, "A to B") is None
    assert doctor.colour_inversion(BROWN, np.zeros_like(BROWN), "A to B") is None


def test_correlation_equals_longhand():
    weights = 0.299, 0.587, 0.114
    expected = []
    for a, b in zip(BROWN[:3], STRIPED[:3], strict=True):
        a, b = (
            sum(w * x[..., c].astype(float) for c, w in enumerate(weights))
            for x in (a, b)
        )
        expected.append(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    found = doctor.luminance_correlation(BROWN[:3], STRIPED[:3])
    assert found == pytest.approx(sorted(expected)[1])


def test_output_that_is_the_input_is_a_collapse_to_the_identity():
    nearly = np.clip(BROWN + RNG.integers(-2, 3, BROWN.shape), 0, 255).astype(np.uint8)
    finding = doctor.collapse_to_identity(BROWN, nearly, "B to A")
    assert finding.name == "identity B to A"
    # The mean of |-2 … 2|.
    assert "differ by 1.2 grey levels" in finding.sentence


def test_new_coats_alone_are_a_change():
    """Even where all but the animals, a seventh of the picture, stays to the bit."""
    assert doctor.collapse_to_identity(BROWN, STRIPED, "A to B") is None
    assert doctor.collapse_to_identity(BROWN, HEALTHY, "A to B") is None


def test_one_picture_for_all_is_a_collapse():
    same = perturbed(np.repeat(STRIPED[:1], 16, axis=0), levels=2)
    finding = doctor.collapse_to_one_image(BROWN, same, "A to B")
    assert finding.name == "one image A to B"
    assert "--learning-rate" in finding.sentence


def test_different_pictures_are_no_collapse():
    assert doctor.collapse_to_one_image(BROWN, HEALTHY, "A to B") is None
    # Of low contrast, yet different.
    faint = np.uint8(100 + 0.3 * (STRIPED - 100.0))
    assert doctor.collapse_to_one_image(BROWN, faint, "A to B") is None


@pytest.mark.parametrize("inputs", [BROWN[:1], np.repeat(BROWN[:1], 4, axis=0)])
def test_variety_of_one_image_is_unknown(inputs):
    assert doctor.collapse_to_one_image(inputs, inputs, "A to B") is None


def test_discriminator_that_is_always_right_has_won():
    finding = doctor.discriminator_won([0.2, 0.015, 0.004], [0.4, 0.9, 0.97], "A")
    assert finding.name == "D_A has won"
    assert "loss is 0.004" in finding.sentence and "0.97" in finding.sentence


@pytest.mark.parametrize(
    "d_losses, g_losses",
    [
        ([0.004], [0.97]),  # one epoch only
        ([0.15, 0.004], [0.4, 0.97]),
        ([0.246, 0.229, 0.219], [0.289, 0.295, 0.293]),  # the embedded dataset
        ([0.25, 0.25], [0.25, 0.25]),  # where the game ideally ends
        ([0.06, 0.05], [0.75, 0.8]),  # strong, and the generator still gets through
    ],
)
def test_discriminator_that_is_sometimes_wrong_has_not_won(d_losses, g_losses):
    assert doctor.discriminator_won(d_losses, g_losses, "A") is None


def test_constant_discriminator_has_given_up():
    scores = 0.5 + RNG.normal(0, 1e-3, (2, 4, 6, 6, 1))
    finding = doctor.discriminator_gave_up(*scores, "B")
    assert finding.name == "D_B has given up"
    assert "all 0.50 (standard deviation 0.0010)" in finding.sentence


def test_discriminator_at_equilibrium_has_not_given_up():
    """Wrong half of the time, on real and fake alike, but with opinions."""
    scores = 0.5 + RNG.normal(0, 0.1, (2, 4, 6, 6, 1))
    assert doctor.discriminator_gave_up(*scores, "B") is None


def test_discriminator_that_tells_by_a_constant_has_not_given_up():
    zeros = np.zeros((4, 6, 6, 1))
    assert doctor.discriminator_gave_up(zeros + 1, zeros, "B") is None


@pytest.mark.parametrize(
    "pattern, levels", [(CHECKER, 6), (COLUMNS, 6), (DOTS_OF_FOUR, 20)]
)
def test_pattern_of_the_upsamplings_period_is_a_checkerboard(pattern, levels):
    fakes = with_pattern(HEALTHY, pattern, levels)
    finding = doctor.checkerboard(fakes, OTHER_STRIPED, "A to B")
    assert finding.name == "checkerboard A to B"
    assert "--upsampling resize" in finding.sentence


@pytest.mark.parametrize("seed", range(3))
def test_only_transposed_convolutions_draw_checkerboards(seed):
    """Without training, as Odena et al. found."""
    findings = {}
    for upsampling in ("transpose", "resize"):
        keras.utils.set_random_seed(seed)
        generator = build_generator(16, 3, upsampling=upsampling)
        fakes = to_values(generator(to_unit_range(BROWN, Domain())), Domain()).numpy()
        findings[upsampling] = doctor.checkerboard(fakes, OTHER_STRIPED, "A to B")
    assert findings["transpose"] and not findings["resize"]


def test_strength_of_a_checkerboard_is_measured_in_grey_levels():
    grey = RNG.normal(128, 2, (4, SIZE, SIZE, 3))
    fakes = with_pattern(grey, CHECKER, levels=10)
    found = doctor.checkerboard_levels(fakes, STRIPED)
    assert found == pytest.approx(10, rel=0.05)


def test_checkerboard_in_the_sky_alone_is_found():
    fakes = HEALTHY.copy()
    fakes[:, : SIZE // 3] = with_pattern(HEALTHY, CHECKER, 16)[:, : SIZE // 3]
    assert doctor.checkerboard(fakes, OTHER_STRIPED, "A to B")


@pytest.mark.parametrize("pattern", [np.eye(8), np.eye(16)])
def test_patterns_of_other_periods_are_no_checkerboard(pattern):
    # Their harmonics at 2 and 4 px are left out: a cosine has none.
    wave = np.cos(2 * np.pi * np.arange(len(pattern)) / len(pattern))
    pattern = np.broadcast_to(wave, pattern.shape)
    fakes = with_pattern(HEALTHY, pattern, levels=8)
    assert doctor.checkerboard(fakes, OTHER_STRIPED, "A to B") is None


def test_images_of_a_domain_are_no_checkerboard():
    assert doctor.checkerboard(HEALTHY, OTHER_STRIPED, "A to B") is None
    assert doctor.checkerboard(perturbed(BROWN), STRIPED, "B to A") is None
    assert doctor.checkerboard(STRIPED, BROWN, "B to A") is None


def test_pattern_that_real_images_have_too_is_no_checkerboard():
    real, fakes = (with_pattern(x, CHECKER, 8) for x in (OTHER_STRIPED, HEALTHY))
    assert doctor.checkerboard(fakes, real, "A to B") is None


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (2, 20, 36, 3), (1, 256, 256, 3)])
def test_checkerboard_is_looked_for_in_images_of_all_sizes(shape):
    fakes, real = RNG.normal(128, 10, (2, *shape))
    assert doctor.checkerboard(fakes, real, "A to B") is None
    rows, columns = np.indices(shape[1:3])
    pattern = ((rows + columns) % 2 * 2.0 - 1)[..., None]
    assert doctor.checkerboard(fakes + 20 * pattern, real, "A to B")


def test_input_that_is_waited_for_is_starved():
    assert "43% of the time" in doctor.starved_input(0.43).sentence
    assert "--cache memory" in doctor.starved_input(0.43).sentence
    assert doctor.starved_input(0.01) is None


# At this pace the last of these is where the line below goes on.
FALLING = [(500, 400.0), (1000, 350.0), (1500, 300.0)]


@pytest.mark.parametrize("last_step", [1500, 2999])
def test_scores_that_will_stay_worse_than_nothing_are_found(last_step):
    finding = doctor.worse_than_nothing(FALLING, 150.0, last_step, "swd", "A to B")
    assert finding.name == "worse than nothing A to B"
    assert "(swd 300 against 150)" in finding.sentence
    assert f"after step {last_step}" in finding.sentence


def test_scores_that_may_become_better_than_nothing_are_no_finding():
    assert doctor.worse_than_nothing(FALLING, 150.0, 3000, "swd", "A to B") is None
    assert doctor.worse_than_nothing(FALLING[1:], 150.0, 1500, "swd", "A to B") is None
    recovered = [*FALLING, (2000, 149.0), (2500, 160.0)]
    assert doctor.worse_than_nothing(recovered, 150.0, 2500, "swd", "A to B") is None


def test_every_flag_that_a_finding_names_exists():
    flags = {flag(field.name) for field in dataclasses.fields(TrainConfig)}
    for finding in every_finding():
        named = re.findall(r"--[a-z-]+", finding.sentence)
        assert named and set(named) <= flags


def every_finding():
    return [
        doctor.colour_inversion(BROWN, 255 - BROWN, "A to B"),
        doctor.collapse_to_identity(BROWN, BROWN, "A to B"),
        doctor.collapse_to_one_image(BROWN, np.zeros_like(BROWN), "A to B"),
        doctor.checkerboard(with_pattern(BROWN, CHECKER, 8), BROWN, "A to B"),
        doctor.discriminator_won([0.0, 0.0], [1.0, 1.0], "A"),
        doctor.discriminator_gave_up(np.zeros(3), np.zeros(3), "A"),
        doctor.worse_than_nothing(FALLING, 150.0, 1500, "swd", "A to B"),
        doctor.starved_input(1.0),
    ]
