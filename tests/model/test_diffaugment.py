import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config.losses import LOSSES
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.model.building import build_model
from cyclegan_tf.model.diffaugment import JUDGED, NUM_COINS, DiffAugment
from tests.helpers import random_images

ALL = ("color", "translation", "cutout")


def recoloured(image, coins):
    """The paper's brightness, saturation and contrast, in this order."""
    image = image + coins[0] - 0.5
    grey = image.mean(axis=-1, keepdims=True)
    image = grey + 2 * coins[1] * (image - grey)
    return image.mean() + (0.5 + coins[2]) * (image - image.mean())


def translated(image, coins):
    """Moved by up to an eighth of each side, pixel by pixel."""
    height, width = image.shape[:2]
    reaches = round(height / 8), round(width / 8)
    down, right = (
        int(coin * (2 * reach + 1)) - reach
        for coin, reach in zip(coins[3:5], reaches, strict=True)
    )
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            source = row - down, column - right
            if 0 <= source[0] < height and 0 <= source[1] < width:
                result[row, column] = image[source]
    return result


def cut_out(image, coins):
    """Half of each side hidden around a centre that may lie on any border."""
    result = image.copy()
    places = []
    for size, coin in zip(image.shape[:2], coins[5:], strict=True):
        side = round(size / 2)
        # Centres are between pixels where the side is even, else on pixels.
        centre = int(coin * (size if side % 2 else size + 1))
        hidden = np.arange(side) + centre - side // 2
        places.append(hidden[(hidden >= 0) & (hidden < size)])
    result[np.ix_(*places)] = 0
    return result


ORACLES = {"color": recoloured, "translation": translated, "cutout": cut_out}


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("kinds", [(kind,) for kind in ALL] + [ALL])
def test_images_are_altered_as_in_the_paper(kinds, channels):
    # 30 is cut by an odd number of pixels.
    rng = np.random.default_rng(channels)
    images = rng.uniform(-1, 1, (40, 16, 30, channels)).astype(np.float32)
    coins = rng.uniform(0, 1, (40, NUM_COINS)).astype(np.float32)
    expected = []
    for image, own in zip(images.astype(np.float64), coins, strict=True):
        for kind in kinds:
            image = ORACLES[kind](image, own.astype(np.float64))
        expected.append(image)
    got = DiffAugment(kinds)(tf.constant(images), tf.constant(coins))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_gradient_is_that_of_an_affine_function():
    images, change = random_images(3, seed=1), random_images(3, seed=2)
    coins = np.random.default_rng(0).uniform(0, 1, (3, NUM_COINS))
    weights = random_images(3, seed=3)

    def weighed(x):
        return tf.reduce_sum(weights * DiffAugment(ALL)(x, tf.constant(coins)))

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = weighed(images)
    slope = tf.reduce_sum(change * tape.gradient(value, images))
    difference = weighed(images + change) - value
    assert float(difference) == pytest.approx(float(slope), rel=1e-4)


def test_coins_depend_on_seed_and_step_and_differ_everywhere():
    def drawn(seed, step):
        coins = DiffAugment(ALL, seed).coins(step, batch_size=2)
        assert tuple(coins) == JUDGED
        return np.stack(list(coins.values()))

    first = drawn(0, 5)
    np.testing.assert_array_equal(drawn(0, 5), first)
    assert first.shape == (len(JUDGED), 2, NUM_COINS)
    several = np.stack([first, drawn(0, 6), drawn(1, 5)])
    assert len(np.unique(several)) == several.size
    assert DiffAugment((), 0).coins(0, 2) == {}


IMAGES = random_images(2, size=32, seed=1), random_images(2, size=32, seed=2)


def step_of(config):
    """Losses and fakes of the first step, the model, and its coins."""
    model = build_model(config, Domains(), 4)
    plans = [pool.plan(2, 0) for pool in (model.pool_a, model.pool_b)]
    coins = model.diffaugment.coins(0, 2)
    losses, fakes, _ = model._compiled(*IMAGES, *plans, coins)
    return {name: float(value) for name, value in losses.items()}, fakes, model, coins


def test_discriminators_and_the_generators_objective_see_altered_images(tiny_run):
    losses, (fake_a, fake_b), model, coins = step_of(tiny_run(diffaugment="cutout"))

    def distance(disc, images, name, target):
        altered = DiffAugment(("cutout",))(images, coins[name])
        return float(tf.reduce_mean((disc(altered) - target) ** 2))

    # The pools are empty: they return what comes.
    for domain, disc, real, fake, judged in (
        ("a", model.disc_a, IMAGES[0], fake_a, "G_B"),
        ("b", model.disc_b, IMAGES[1], fake_b, "G_A"),
    ):
        expected = distance(disc, fake, f"fake_{domain}", 1)
        assert losses[judged] == pytest.approx(expected, rel=1e-4)
        of_real = distance(disc, real, f"real_{domain}", 1)
        of_fake = distance(disc, fake, f"pooled_{domain}", 0)
        expected = (of_real + of_fake) / 2
        assert losses[f"D_{domain.upper()}"] == pytest.approx(expected, rel=1e-4)


def test_step_in_half_precision_is_near_that_in_full(tiny_run):
    everything = {"diffaugment": ",".join(ALL)}
    full, *_ = step_of(tiny_run(**everything))
    half, *_ = step_of(tiny_run(precision="bfloat16", **everything))
    for name in LOSSES:
        assert half[name] == pytest.approx(full[name], rel=0.05)
