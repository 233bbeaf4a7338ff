"""Replicas: what the devices that train one run together hold, and tell each other.

A replica is a device with its own share of every batch; all replicas apply the same
update. A worker is a process: it has one replica per device of its own, and several
workers, on one machine or on many, form a cluster. Worker 0 writes, the others do not.
Without a cluster and with one device there is a single replica, and nothing here costs
anything.

What is called collective must be called by all workers, in the same order.
"""

import keras
import numpy as np
import tensorflow as tf


def worker_of(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """This process' number and the number of workers."""
    resolver = strategy.cluster_resolver
    if resolver is None:
        return 0, 1
    spec = resolver.cluster_spec().as_dict()
    # As `tf.distribute` counts them: the chief, where there is one, before all others.
    earlier = len(spec.get("chief", [])) if resolver.task_type == "worker" else 0
    return earlier + resolver.task_id, sum(map(len, spec.values()))


def values_by_replica(
    strategy: tf.distribute.Strategy, variable: keras.Variable
) -> list[np.ndarray]:
    """The values of a variable's own copies on all replicas, in order. Collective.

    `strategy` is the one that the variable was made under.
    """
    replicas = strategy.run(
        lambda: tf.distribute.get_replica_context().replica_id_in_sync_group[None]
    )
    values = strategy.run(lambda: tf.convert_to_tensor(local_copy(variable))[None])
    order = np.argsort(strategy.gather(replicas, axis=0).numpy())
    return list(strategy.gather(values, axis=0).numpy()[order])


def local_copies(variable: keras.Variable) -> tuple[tf.Variable, ...]:
    """A variable's copies on the replicas of this process."""
    value = variable.value
    strategy = (
        getattr(value, "distribute_strategy", None) or tf.distribute.get_strategy()
    )
    return strategy.experimental_local_results(value)


def local_copy(variable: keras.Variable) -> tf.Variable:
    """The copy of the replica that asks."""
    copies = local_copies(variable)
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return copies[int(tf.get_static_value(replica)) % len(copies)]


def places_in_batch(batch_size: int) -> tuple[tf.Tensor, int]:
    """Where in the batch of all replicas the asking one's images stand, and its size.

    The pipeline of each of n workers gives every n-th image, see `data.pipeline`, to
    its replicas in turn.
    """
    context = tf.distribute.get_replica_context()
    worker, num_workers = worker_of(context.strategy)
    num_replicas = context.num_replicas_in_sync
    replica = context.replica_id_in_sync_group % (num_replicas // num_workers)
    places = (replica * batch_size + tf.range(batch_size)) * num_workers + worker
    return places, num_replicas * batch_size


def mean_over_replicas(numbers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Scalars by name, averaged over the replicas; called by each of them."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return numbers
    stacked = tf.stack([tf.cast(value, tf.float32) for value in numbers.values()])
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, stacked)
    return dict(zip(numbers, tf.unstack(means), strict=True))


class SharedMean(keras.metrics.Mean):
    """A mean of numbers that are the same on every replica.

    Keras' own adds its replicas up where it is read, which talks to all workers.

    Example:
        >>> mean = SharedMean(name="cycle_A")
        >>> mean.update_state(0.5)
        >>> mean.result()
    """

    def add_variable(self, shape, initializer, dtype=None, aggregation=None, name=None):
        """Makes a variable that reads as the first replica's."""
        return super().add_variable(
            shape, initializer, dtype, aggregation="only_first_replica", name=name
        )
