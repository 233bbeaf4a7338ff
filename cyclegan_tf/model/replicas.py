"""Which devices train one run together, and what they tell each other.

A replica is a device with its own share of every batch; all replicas apply the same
update. A worker is a process: it has one replica per device of its own, and several
workers, on one machine or on many, form a cluster. Worker 0 writes, the others do not.
Everything is said with `tf.distribute`; without a cluster and with one device its
default strategy is a single replica, and nothing here costs anything.

What is called collective must be called by all workers, in the same order.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.common.errors import InputError

EXAMPLE = json.dumps(
    {
        "cluster": {"worker": ["host0:12345", "host1:12345"]},
        "task": {"type": "worker", "index": 0},
    }
)
# What a collective ends with when a worker is gone.
LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
)


def choose_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy of `--strategy`; call it before anything is computed.

    With "multiworker" this waits until all workers of the cluster are there.

    Args:
        name: "auto" is all GPUs of this machine where it has several, else "one";
            "one" is a single device; "mirrored" is all GPUs of this machine, or
            where it has none all logical CPU devices, of which there is one unless
            `tf.config.set_logical_device_configuration` makes more; "multiworker"
            is the cluster that TF_CONFIG describes, or the Slurm job.

    Raises:
        InputError: the cluster is not described, or not understood.
    """
    num_gpus = len(tf.config.list_physical_devices("GPU"))
    if name == "multiworker":
        is_slurm = "TF_CONFIG" not in os.environ and "SLURM_PROCID" in os.environ
        spec, task = cluster_of_slurm() if is_slurm else cluster_of_tf_config()
        if sum(map(len, spec.values())) > 1:
            return _join(spec, task, num_gpus)
        name = "auto"  # a cluster of one machine
    if name == "mirrored" or (name == "auto" and num_gpus > 1):
        kind = "GPU" if num_gpus else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.get_strategy()


def worker_of(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """This process' number and the number of workers."""
    resolver = strategy.cluster_resolver
    if resolver is None:
        return 0, 1
    spec = resolver.cluster_spec().as_dict()
    # As `tf.distribute` counts them: the chief, where there is one, before all others.
    earlier = len(spec.get("chief", [])) if resolver.task_type == "worker" else 0
    return earlier + resolver.task_id, sum(map(len, spec.values()))


def is_first_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes."""
    return worker_of(strategy)[0] == 0


@contextlib.contextmanager
def first_worker_first(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Worker 0 goes through the block, then all others do. Collective."""
    if not is_first_worker(strategy):
        with _ended_by_ctrl_c():
            wait_for_all(strategy)
    yield
    if is_first_worker(strategy):
        wait_for_all(strategy)


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns when all workers have come here. Collective."""
    _sum_over_workers(strategy, 0)


def any_worker(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Whether the flag is set in any worker. Collective."""
    return _sum_over_workers(strategy, float(flag)) > 0


def is_same_everywhere(strategy: tf.distribute.Strategy, number: float) -> bool:
    """Whether all workers hold the same number; they all get the answer. Collective."""
    count = worker_of(strategy)[1]
    differs = _sum_over_workers(strategy, number) != count * number
    return not any_worker(strategy, differs)


def values_by_replica(
    strategy: tf.distribute.Strategy, variable: keras.Variable
) -> list[np.ndarray]:
    """A variable's values on the replicas of all workers, in their order. Collective.

    Args:
        strategy: the one that it was made under.
        variable: one that each replica has a copy of its own of.
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


@contextlib.contextmanager
def lost_workers_in_one_line(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns the failure of a collective into an error that says what to do.

    Raises:
        InputError: another worker is gone.
    """
    try:
        yield
    except LOST_WORKER as error:
        worker, count = worker_of(strategy)
        if count == 1:
            raise
        raise InputError(
            f"worker {worker} of {count}: another worker has ended or cannot be "
            f"reached ({type(error).__name__}); see what it said, then start all "
            f"again with the same command: they continue from the last checkpoint."
        ) from None


def _sum_over_workers(strategy, number):
    if worker_of(strategy)[1] == 1:
        return number
    per_worker = strategy.num_replicas_in_sync // worker_of(strategy)[1]
    values = strategy.experimental_distribute_values_from_function(
        lambda _: tf.constant(number, tf.float64)
    )
    return float(strategy.reduce("SUM", values, axis=None)) / per_worker


def _join(spec, task, num_gpus):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(spec),
        task_type=task[0],
        task_id=task[1],
        num_accelerators={"GPU": num_gpus},
        rpc_layer="grpc",
    )
    # It advises programmers against the few collectives outside of the step.
    tf.get_logger().setLevel("ERROR")
    try:
        with _ended_by_ctrl_c():
            return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        address = spec[task[0]][task[1]]
        reason = str(error.message).strip().splitlines()[0]
        raise InputError(
            f"--strategy multiworker: cannot join the cluster as {address} ({reason}); "
            f"is the port free, and are all other workers started?"
        ) from None


@contextlib.contextmanager
def _ended_by_ctrl_c():
    """Lets Ctrl-C end the process; Python's handler has to wait for TensorFlow."""
    previous = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def cluster_of_slurm() -> tuple[dict[str, list[str]], tuple[str, int]]:
    """Addresses of the Slurm step's tasks by job, and this process' job and index.

    Raises:
        InputError: not started with srun.
    """
    try:
        # Slurm hands out the GPUs. One "GPU" per task, and as many of them as there
        # are tasks, keep the resolver from looking for them and handing them out.
        num_tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 0))
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=num_tasks, gpus_per_task=1, auto_set_gpu=False
        )
        spec = resolver.cluster_spec().as_dict()
        return spec, resolver.get_task_info()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"--strategy multiworker: no TF_CONFIG, and the Slurm variables are not "
            f"understood ({error}); start it with srun."
        ) from None


def cluster_of_tf_config() -> tuple[dict[str, list[str]], tuple[str, int]]:
    """What TF_CONFIG says: addresses by job, and this process' job and index.

    Raises:
        InputError: it is missing, or not understood.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise InputError(
            f"--strategy multiworker: TF_CONFIG is not set and this is no Slurm job; "
            f"set it in every worker, like {EXAMPLE}."
        )
    try:
        content = json.loads(text)
        spec = {job: list(addresses) for job, addresses in content["cluster"].items()}
        job, index = content["task"]["type"], int(content["task"]["index"])
        problem = _problem_in(spec, job, index)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise InputError(
            f"--strategy multiworker: TF_CONFIG is not understood ({problem}); "
            f"expected something like {EXAMPLE}."
        )
    return spec, (job, index)


def _problem_in(spec, job, index):
    unknown = sorted(set(spec) - {"chief", "worker"})
    if unknown:
        return f"{unknown[0]!r} takes no part in training"
    if not 0 <= index < len(spec.get(job, [])):
        return f"the cluster has no {job} {index}"
    if len(spec.get("chief", [])) > 1:
        return "there can be one chief only"
    addresses = [address for listed in spec.values() for address in listed]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            return f"{address!r} is not host:port"
    if len(set(addresses)) < len(addresses):
        return "two workers have the same address"
    return None
