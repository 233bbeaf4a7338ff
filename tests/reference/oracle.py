"""The computations of `tests.parity` by the PyTorch statement.

    python -m tests.reference.oracle

records what `tests/test_parity.py` compares with where there is no PyTorch, and writes
two small files as PyTorch does, in its format since version 1.6 and in that before.
"""

import functools

import numpy as np
import torch

from benchmarks.torch_reference import Discriminator, Generator, TorchCycleGAN
from cyclegan_tf.config.losses import LOSSES
from tests import parity

# More of them wait for TensorFlow's, which keep the cores busy.
torch.set_num_threads(1)


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


def model(kind="patch46", dtype=torch.float32):
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
        load(network, weights).to(dtype)
    for pool in (built.pool_a, built.pool_b):
        # Our pools hold float32 whatever the precision.
        pool.query = functools.partial(_query_rounded, pool.query)
    return built


def _query_rounded(query, fakes, draws):
    return query(fakes, draws).float().to(fakes.dtype)


def step(built, number):
    """One training step with the draws of our pools."""
    dtype = next(built.gen_ab.parameters()).dtype
    return built.step(
        *(to_torch(x).to(dtype) for x in parity.batch(number)),
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


def training(dtype, kind="patch46"):
    """Losses and movements of the weights, see `parity.training`."""

    def weights():
        return {
            f"{network_name}.{name}": tensor.numpy().copy()
            for network_name, network in built.networks.items()
            for name, tensor in network.state_dict().items()
        }

    built = model(kind, dtype)
    start = weights()
    rows, moved = [], {}
    for number in range(parity.CHECKED_STEPS[-1]):
        losses = step(built, number)
        rows.append([float(losses[name]) for name in LOSSES])
        if number + 1 in parity.CHECKED_STEPS:
            now = weights()
            moved[number + 1] = {name: now[name] - start[name] for name in now}
    return np.array(rows), moved


def everything():
    """All that is recorded, by name, whole."""
    results = {}
    for blocks in parity.BLOCKS:
        network = generator(64, blocks, seed=blocks)
        for size in parity.SIZES:
            images = parity.images(*size, seed=9)
            results[f"generator {blocks} {size}"] = apply(network, images)
    for kind in parity.KINDS:
        for size in parity.SIZES:
            images = parity.images(*size, seed=9)
            scores = apply(discriminator(kind, 64, seed=3), images)
            results[f"discriminator {kind} {size}"] = scores
        losses, of_all = gradients(kind)
        results[f"losses {kind}"] = np.array([losses[name] for name in LOSSES])
        for name, gradient in of_all.items():
            results[f"gradient {kind} {name}"] = gradient
    losses, moved = training(torch.float64)
    results["losses of training"] = losses
    for number, of_all in moved.items():
        for name, movement in of_all.items():
            results[f"movement {number} {name}"] = movement
    return results


if __name__ == "__main__":
    recorded = {
        name: parity.probe(array).astype(np.float32)
        for name, array in everything().items()
    }
    np.savez_compressed(parity.RECORDED, **recorded)
