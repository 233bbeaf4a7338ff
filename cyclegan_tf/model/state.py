"""The state of a training: all its variables, by names that stay the same.

The order of the images, the crops and the coins of the pools are functions of the step,
so these are all of it. Of several replicas each has image pools of its own; everything
else is the same on all.
"""

import numpy as np
import tensorflow as tf

from cyclegan_tf.model import replicas
from cyclegan_tf.model.cyclegan import CycleGAN

NETWORKS = ("gen_ab", "gen_ba", "disc_a", "disc_b")
AVERAGES = {"a_to_b": "average_ab", "b_to_a": "average_ba"}
POOLS = ("pool_a", "pool_b")


class NonFiniteState(Exception):
    """A loss or a variable is NaN or infinite; the message names it."""


def variables_of(model: CycleGAN) -> dict[str, tf.Variable]:
    """Variables of networks, optimizers, pools and loss trackers by name.

    Of the pools, those of this process' replicas.
    """
    networks = {name: getattr(model, name) for name in NETWORKS}
    networks |= {AVERAGES[name]: network for name, network in model.averages.items()}
    state = {
        f"{part}/{variable.path}": variable
        for part, network in networks.items()
        for variable in network.variables
    }
    strategy = model.distribute_strategy
    worker, num_workers = replicas.worker_of(strategy)
    first = worker * strategy.num_replicas_in_sync // num_workers
    for name, variable in _pool_variables(model):
        for replica, copy in enumerate(replicas.local_copies(variable), first):
            state[_of_replica(name, replica)] = copy
    for part in ("generator_optimizer", "discriminator_optimizer"):
        # Both networks of an optimizer have variables of the same name.
        for i, variable in enumerate(getattr(model, part).variables):
            state[f"{part}/{i:03d}/{variable.name}"] = variable
    for name, tracker in model.trackers.items():
        for variable in tracker.variables:
            state[f"trackers/{name}/{variable.name}"] = variable
    return state


def finite_arrays(model: CycleGAN) -> dict[str, np.ndarray]:
    """The values of `variables_of`; raises `NonFiniteState` if one is not finite."""
    arrays = {name: np.asarray(x) for name, x in variables_of(model).items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise NonFiniteState(f"{name} is not finite")
    return arrays


def pools_of_all_workers(model: CycleGAN) -> dict[str, np.ndarray]:
    """The values of all replicas' pools; none without other workers. Collective."""
    strategy = model.distribute_strategy
    if replicas.worker_of(strategy)[1] == 1:
        return {}
    return {
        _of_replica(name, replica): value
        for name, variable in _pool_variables(model)
        for replica, value in enumerate(replicas.values_by_replica(strategy, variable))
    }


def is_of_further_replica(name: str) -> bool:
    """Whether a name is that of a pool of another replica than the first."""
    return name.startswith(POOLS) and name.count("/") == 2


def num_replicas_of(names) -> int:
    """The number of replicas that names of a whole state are of."""
    return sum(name.startswith(f"{POOLS[0]}/count") for name in names)


def _pool_variables(model):
    for part in POOLS:
        for variable in getattr(model, part).variables:
            yield f"{part}/{variable.name}", variable


def _of_replica(name, replica):
    return f"{name}/{replica}" if replica else name
