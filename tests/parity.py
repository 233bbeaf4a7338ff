"""What the parity tests compute with our networks, on inputs and weights from NumPy.

Both sides get the same weights, by the names of the authors' state dicts. Their outputs
are too large to be recorded: `probe` picks some elements of each, always the same.
"""

import contextlib
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.config import TrainConfig, settings
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.interop.convert import TO_KERAS, TO_TORCH, generator_from_reference
from cyclegan_tf.interop.state_dicts import convolutions
from cyclegan_tf.model.building import ADAM, build_model
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.networks import build_discriminator
from cyclegan_tf.model.optimizers import Adam
from tests.helpers import ROOT

RECORDED = ROOT / "tests" / "reference" / "recorded.npz"
NUM_PROBES = 64

SIZES = ((64, 64), (128, 128), (256, 256), (96, 160))
BLOCKS = (6, 9)
KINDS = ("patch46", "patch70")

# Of the training steps: small, with pools that are full after two of them.
SIDE, FILTERS, NUM_BLOCKS, BATCH_SIZE, POOL_SIZE = 32, 8, 2, 2, 3
POOL_SEEDS = {"a": 1, "b": 2}
# A tenth of the paper's: see MOVEMENT_TOLERANCE.
LEARNING_RATE = 2e-5
CHECKED_STEPS = (1, 5, 20)
NETWORKS = ("gen_ab", "gen_ba", "disc_a", "disc_b")

OUTPUT_TOLERANCE = 1e-4  # largest difference of outputs in [-1, 1], and of scores
LOSS_TOLERANCE = 1e-5  # relative
GRADIENT_TOLERANCE = 1e-3  # relative, of each variable, see `relative_error`
# Of each variable's movement since the start, relative, by the number of steps.
# Training is not smooth: when rounding puts one pixel or activation on the other side
# of the kink of |x| or ReLU, a gradient jumps, Adam gives small gradients the same step
# as large ones, and the difference grows. After 20 steps at the paper's learning rate,
# PyTorch in float32 and in float64 are 43 % apart, ours in float32 46 % from it; at a
# tenth of it PyTorch 0.1 % and ours 6 %, 3 % with XLA, 0.006 % without oneDNN, by the
# luck of the rounding. So float32 can show no more than this. Float64 does: 7e-6, which
# is Keras' beta_2, rounded to float32.
MOVEMENT_TOLERANCE = {
    "float32": {1: 1e-3, 5: 0.1, 20: 0.3},
    "float64": {1: 1e-4, 5: 1e-4, 20: 1e-4},
}


def probe(array):
    """Up to `NUM_PROBES` elements of an array, spread over it, as a vector."""
    flat = np.asarray(array).ravel()
    if flat.size <= NUM_PROBES:
        return flat
    return flat[np.arange(NUM_PROBES) * 7919 % flat.size]


def relative_error(ours, theirs):
    """Euclidean distance as a share of the reference's length."""
    ours, theirs = np.float64(ours), np.float64(theirs)
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


def images(height, width, seed, count=1):
    """float32 `(count, height, width, 3)` in [-1, 1]."""
    # RandomState: its numbers are the same in every version of NumPy.
    random = np.random.RandomState(seed)
    return random.uniform(-1, 1, (count, height, width, 3)).astype(np.float32)


def generator_weights(filters, num_blocks, seed, channels=3, out_channels=3):
    """A state dict of the authors' generator, with biases everywhere."""
    size = filters, num_blocks, channels, out_channels
    return _random_weights(generator_shapes(*size), seed)


def generator_shapes(filters, num_blocks, channels=3, out_channels=3):
    """The shapes by name of all that the authors' state dict holds today."""
    shapes = {}
    table = convolutions(filters, num_blocks, channels, out_channels)
    for layer, (prefix, shape) in table.items():
        shapes[f"{prefix}.weight"] = shape
        shapes[f"{prefix}.bias"] = (shape[1 if layer.startswith("up") else 0],)
    return shapes


def discriminator_weights(kind, filters, seed):
    """A state dict of the authors' discriminator, with biases everywhere."""
    shapes = {}
    inputs = 3
    for layer, prefix in discriminator_prefixes(kind).items():
        is_last = layer == "scores_conv"
        outputs = 1 if is_last else filters * 2 ** (int(layer[-1]) - 1)
        shapes |= {
            f"{prefix}.weight": (outputs, inputs, 4, 4),
            f"{prefix}.bias": (outputs,),
        }
        inputs = outputs
    return _random_weights(shapes, seed)


def generator_prefixes(num_blocks):
    """The authors' names of our layers."""
    table = convolutions(FILTERS, num_blocks)
    return {layer: prefix for layer, (prefix, _) in table.items()}


def discriminator_prefixes(kind):
    """The authors' names of our convolutions."""
    stages = {"patch46": (0, 2, 5), "patch70": (0, 2, 5, 8)}[kind]
    prefixes = {f"stage{i + 1}": f"model.{index}" for i, index in enumerate(stages)}
    return prefixes | {"scores_conv": f"model.{stages[-1] + 3}"}


def _random_weights(shapes, seed):
    random = np.random.RandomState(seed)
    return {
        name: random.normal(0, 0.02 if name.endswith("weight") else 0.1, shape).astype(
            np.float32
        )
        for name, shape in shapes.items()
    }


def generator(filters, num_blocks, seed):
    """Our generator with `generator_weights`."""
    weights = generator_weights(filters, num_blocks, seed)
    return generator_from_reference(weights, "weights")[0]


def discriminator(kind, filters, seed):
    """Our discriminator with `discriminator_weights`."""
    weights = discriminator_weights(kind, filters, seed)
    network = build_discriminator(kind, filters, norm="plain")
    for layer, prefix in discriminator_prefixes(kind).items():
        kernel = weights[f"{prefix}.weight"].transpose(TO_KERAS)
        has_bias = len(network.get_layer(layer).weights) == 2
        bias = [weights[f"{prefix}.bias"]] if has_bias else []
        network.get_layer(layer).set_weights([kernel, *bias])
    return network


def model(kind="patch46", **adam):
    """Our CycleGAN with the weights of seeds 1 to 4, in the order of `NETWORKS`."""
    pools = {
        domain: ImagePool(POOL_SIZE, (SIDE, SIDE, 3), seed)
        for domain, seed in POOL_SEEDS.items()
    }
    built = CycleGAN(
        generator(FILTERS, NUM_BLOCKS, seed=1),
        generator(FILTERS, NUM_BLOCKS, seed=2),
        discriminator(kind, FILTERS, seed=3),
        discriminator(kind, FILTERS, seed=4),
        pools["a"],
        pools["b"],
    )
    adam = {"learning_rate": LEARNING_RATE, **ADAM, **adam}
    built.compile(Adam(**adam), Adam(**adam), jit=False)
    return built


def recipe_model():
    """What `--recipe paper` trains, with the weights of `model("patch70")`."""
    own = {"image_size": SIDE, "filters": FILTERS, "residual_blocks": NUM_BLOCKS}
    config = TrainConfig("photos", **settings("photos", "paper"), **own)
    built, other = build_model(config, Domains(), 1), model("patch70")
    for name in NETWORKS:
        getattr(built, name).set_weights(getattr(other, name).get_weights())
    return built


def batch(step):
    """The real images of a step, `(real_a, real_b)`."""
    return (
        images(SIDE, SIDE, 100 + step, BATCH_SIZE),
        images(SIDE, SIDE, 500 + step, BATCH_SIZE),
    )


def pool_draws(domain, step):
    """What our pool draws in a step: `(batch, 2)`, place and coin of each fake."""
    seed = [POOL_SEEDS[domain], step]
    return tf.random.stateless_uniform((2, BATCH_SIZE), seed).numpy().T


@contextlib.contextmanager
def double_precision():
    """Builds networks and takes losses in float64, where they ask for float32, too."""
    cast, activation = keras.ops.cast, keras.layers.Activation
    exchange = ImagePool.exchange

    def cast_to_double(x, dtype):
        return cast(x, "float64" if dtype == "float32" else dtype)

    def activation_in_double(function, dtype=None, name=None):
        return activation(function, name=name)

    def exchange_in_double(plan, fakes):
        return tf.cast(exchange(plan, fakes), tf.float64)

    with (
        mock.patch.object(keras.ops, "cast", cast_to_double),
        mock.patch.object(keras.layers, "Activation", activation_in_double),
        mock.patch.object(ImagePool, "exchange", staticmethod(exchange_in_double)),
    ):
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        try:
            yield
        finally:
            keras.config.set_floatx("float32")
            keras.config.set_dtype_policy("float32")


def gradients(built, kind):
    """Losses and gradients of the first step, by name; in the authors' layout."""
    plans = built.pool_a.plan(BATCH_SIZE, 0), built.pool_b.plan(BATCH_SIZE, 0)
    losses, _, (of_generators, of_discriminators) = built.losses_and_gradients(
        *map(tf.constant, batch(0)), *plans
    )
    variables = built.generator_variables + built.discriminator_variables
    of_all = [*of_generators, *of_discriminators]
    values = {id(v): g.numpy() for v, g in zip(variables, of_all, strict=True)}
    return (
        {name: float(loss) for name, loss in losses.items()},
        by_reference_name(built, kind, lambda variable: values[id(variable)]),
    )


def by_reference_name(built, kind, value=lambda variable: variable.numpy()):
    """`value` of each trained variable, named and laid out as the authors'."""
    named = {}
    for network_name in NETWORKS:
        is_generator = network_name.startswith("gen")
        prefixes = (
            generator_prefixes(NUM_BLOCKS)
            if is_generator
            else discriminator_prefixes(kind)
        )
        for layer, prefix in prefixes.items():
            weight, *bias = getattr(built, network_name).get_layer(layer).weights
            named[f"{network_name}.{prefix}.weight"] = value(weight).transpose(TO_TORCH)
            if bias:
                named[f"{network_name}.{prefix}.bias"] = value(bias[0])
    return named


def training(built, num_steps=CHECKED_STEPS[-1], kind="patch46"):
    """Trains; the losses of every step, and how the weights have moved after some.

    Returns:
        Losses `(num_steps, 8)` in the order of `LOSSES`, and by step in
        `CHECKED_STEPS` the movement of each weight since the start by name.
    """
    start = by_reference_name(built, kind)
    step_function = tf.function(built.train_step)
    rows, moved = [], {}
    for step in range(num_steps):
        for tracker in built.trackers.values():
            tracker.reset_state()
        real = [tf.constant(x, keras.config.floatx()) for x in batch(step)]
        logs = step_function(real)
        rows.append([float(logs[name]) for name in built.trackers])
        if step + 1 in CHECKED_STEPS:
            now = by_reference_name(built, kind)
            moved[step + 1] = {name: now[name] - start[name] for name in now}
    return np.array(rows), moved
