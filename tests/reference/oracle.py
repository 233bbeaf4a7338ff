"""The same computations as in `tests.parity`, by the PyTorch statement."""

import numpy as np
import torch

from benchmarks.torch_reference import Discriminator, Generator, TorchCycleGAN
from cyclegan_tf.cyclegan import LOSSES
from tests import parity


def to_torch(images):
    """NumPy `(batch, height, width, 3)` to a tensor `(batch, 3, height, width)`."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def load(network, weights):
    """Puts a state dict of NumPy arrays into a network; every name must match."""
    network.load_state_dict(
        {name: torch.from_numpy(array) for name, array in weights.items()}, strict=True
    )
    return network


def apply(network, images):
    """The output for NumPy images, `(batch, height, width, channels)`."""
    with torch.no_grad():
        return network(to_torch(images)).numpy().transpose(0, 2, 3, 1)


def generator(filters, num_blocks, seed):
    """The generator with `parity.generator_weights`."""
    weights = parity.generator_weights(filters, num_blocks, seed)
    return load(Generator(filters, num_blocks), weights)


def discriminator(kind, filters, seed):
    """The discriminator with `parity.discriminator_weights`."""
    weights = parity.discriminator_weights(kind, filters, seed)
    return load(Discriminator(kind, filters), weights)


def model(kind="patch46"):
    """The model with the same weights as `parity.model`."""
    built = TorchCycleGAN(
        parity.FILTERS,
        parity.NUM_BLOCKS,
        kind,
        parity.POOL_SIZE,
        parity.LEARNING_RATE,
    )
    for seed, network in enumerate(built.networks.values(), start=1):
        if seed <= 2:
            weights = parity.generator_weights(parity.FILTERS, parity.NUM_BLOCKS, seed)
        else:
            weights = parity.discriminator_weights(kind, parity.FILTERS, seed)
        load(network, weights)
    return built


def step(built, number):
    """One training step with the draws of our pools."""
    return built.step(
        *map(to_torch, parity.batch(number)),
        parity.pool_draws("a", number),
        parity.pool_draws("b", number),
    )


def gradients(kind):
    """Losses and gradients of the first step by name, see `parity.gradients`."""
    built = model(kind)
    losses = step(built, 0)
    return (
        {name: float(loss) for name, loss in losses.items()},
        {
            f"{network_name}.{name}": parameter.grad.numpy()
            for network_name, network in built.networks.items()
            for name, parameter in network.named_parameters()
        },
    )


def training(kind="patch46"):
    """Losses and movements of the weights, see `parity.training`."""

    def weights():
        return {
            f"{network_name}.{name}": tensor.numpy().copy()
            for network_name, network in built.networks.items()
            for name, tensor in network.state_dict().items()
        }

    built = model(kind)
    start = weights()
    rows, moved = [], {}
    for number in range(parity.CHECKED_STEPS[-1]):
        losses = step(built, number)
        rows.append([float(losses[name]) for name in LOSSES])
        if number + 1 in parity.CHECKED_STEPS:
            now = weights()
            moved[number + 1] = {name: now[name] - start[name] for name in now}
    return np.array(rows, np.float32), moved
