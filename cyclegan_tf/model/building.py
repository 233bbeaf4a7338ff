"""From options to networks, and to a compiled model."""

import functools

import keras
import tensorflow as tf

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.kernels import has_avx2_alone
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.config.architectures import GENERATORS, kind_of
from cyclegan_tf.config.losses import WEIGHT_OPTIONS
from cyclegan_tf.config.recipes import settings
from cyclegan_tf.data.domain import DIRECTIONS, Domains
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.diffaugment import DiffAugment
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.mobile import build_mobile_generator
from cyclegan_tf.model.networks import (
    build_discriminator,
    build_generator,
    with_dtype,
)
from cyclegan_tf.model.optimizers import Adam, LinearDecay, LossScaling

# The function of each architecture of `config.architectures`.
BUILDERS = {
    "resnet": build_generator,
    "attention": functools.partial(build_generator, has_attention=True),
    "mobile": lambda filters, **form: build_mobile_generator(4 * filters, **form),
}
# Half-life of averaged weights, as a share of the steps taken.
AVERAGE_SHARE = 0.05
# Sec. 4 of the paper; epsilon as in the authors' program.
ADAM = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}


def build_model(
    config: TrainConfig,
    domains: Domains,
    steps_per_epoch: int,
    teachers: dict[str, keras.Model] | None = None,
) -> CycleGAN:
    """The compiled model at step 0; a function of the arguments alone."""
    of_weights, of_augmentations, *of_pools = (
        derived_seed(config.seed, name)
        for name in ("weights", "diffaugment", "pool a", "pool b")
    )
    # The four networks, whose weights are drawn in this order.
    keras.utils.set_random_seed(of_weights)
    networks = {
        name: new_generator(config, domains, direction)
        for direction, name in DIRECTIONS.items()
    }
    for domain, form in domains._asdict().items():
        options = config.discriminator, config.filters, form.channels, config.norm
        networks[f"disc_{domain}"] = build_discriminator(*options, f"disc_{domain}")
    if config.precision != "float32":
        policy = f"mixed_{config.precision}"
        networks = {name: with_dtype(x, policy) for name, x in networks.items()}
        teachers = {name: with_dtype(x, policy) for name, x in (teachers or {}).items()}
    # What else a step needs: image pools, weights of the losses, augmentations.
    pools = {}
    for (name, form), seed in zip(domains._asdict().items(), of_pools, strict=True):
        shape = (*config.frame[:2], form.channels)
        pools[f"pool_{name}"] = ImagePool(config.pool_size, shape, seed)
    weights = {name: getattr(config, name) for name in WEIGHT_OPTIONS}
    weights["identity_weight"] = identity_weight(config, domains)
    model = CycleGAN(
        **networks,
        **pools,
        remat=config.remat,
        average_share=AVERAGE_SHARE if config.average else 0.0,
        diffaugment=DiffAugment(config.augmentations, of_augmentations),
        teachers=teachers,
        **weights,
    )
    # Two optimizers, of the generators and of the discriminators.
    rates = config.learning_rate, config.resolved_discriminator_learning_rate
    optimizers = [
        new_optimizer(config, learning_rate(config, steps_per_epoch, rate))
        for rate in rates
    ]
    model.compile(*optimizers, jit=_uses_jit(config.jit))
    return model


def new_optimizer(
    config: TrainConfig, rate: float | LinearDecay
) -> keras.optimizers.Optimizer:
    """An optimizer as the options of a run ask for, at a rate or a schedule of one."""
    optimizer = Adam(rate, **ADAM)
    # Small gradients would become zeros in float16.
    return LossScaling(optimizer) if config.precision == "float16" else optimizer


def new_generator(config: TrainConfig, domains: Domains, direction: str) -> keras.Model:
    """A generator with fresh weights, as the options of a run describe it."""
    source, target = domains.of(direction)
    form = {
        "num_residual_blocks": config.resolved_residual_blocks,
        "channels": source.channels,
        "out_channels": target.channels,
        "name": DIRECTIONS[direction],
    }
    kind = kind_of(GENERATORS, config.generator)
    form |= {name: getattr(config, name) for name in kind.options}
    return BUILDERS[kind.name](config.resolved_generator_filters, **form)


def identity_weight(config: TrainConfig, domains: Domains) -> float:
    """The weight of the identity losses: 0 where the domains differ in channels.

    Raises `InputError` where they do, and another one is asked for; a recipe, and what
    is recommended for a dataset, are for domains of any form.
    """
    if domains.a.channels == domains.b.channels:
        return config.resolved_identity_weight
    set_by_name = settings(config.dataset_name, config.recipe).get("identity_weight")
    if config.identity_weight and config.identity_weight != set_by_name:
        raise InputError(
            f"--identity-weight {config.identity_weight:g} needs as many channels in A "
            f"as in B, and these have {domains.a.channels} and {domains.b.channels}; "
            f"leave it out, or give --channels-a and --channels-b."
        )
    return 0.0


def learning_rate(
    config: TrainConfig, steps_per_epoch: int, start: float
) -> LinearDecay:
    """The schedule that the config asks for, from a rate on."""
    constant = config.resolved_constant_epochs
    return LinearDecay(start, constant, config.epochs - constant, steps_per_epoch)


def _uses_jit(mode):
    if mode != "auto":
        return mode == "on"
    if not tf.config.list_physical_devices("GPU"):
        return has_avx2_alone()
    try:
        tf.function(lambda x: x + 1.0, jit_compile=True)(tf.constant(1.0))
    except (tf.errors.OpError, ValueError):
        return False
    return True
