"""Which devices train one run together, and how their workers wait for each other.

What is called collective must be called by all workers, in the same order.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common import memory
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.kernels import uses_onednn
from cyclegan_tf.common.processes import signals_handled
from cyclegan_tf.model.replicas import is_first_worker, worker_of
from cyclegan_tf.training.cluster import cluster_of_slurm, cluster_of_tf_config

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


def describe_devices(strategy: tf.distribute.Strategy) -> str:
    """What trains, in a line."""
    gpus = tf.config.list_physical_devices("GPU")
    worker, num_workers = worker_of(strategy)
    num_replicas = strategy.num_replicas_in_sync
    if num_workers > 1:
        return (
            f"worker {worker} of {num_workers}: training on {num_replicas} devices "
            f"of all workers together, {num_replicas // num_workers} of them here"
        )
    if not gpus:
        copies = f" as {num_replicas} devices" if num_replicas > 1 else ""
        kernels = " with oneDNN" if uses_onednn() else ""
        return (
            f"no GPU found: training on {os.cpu_count()} CPU cores{copies}{kernels} "
            f"(for an NVIDIA GPU on Linux: pip install -r requirements-gpu.txt)"
        )
    names = {
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in gpus
    }
    which = f"all {len(gpus)} GPUs" if num_replicas > 1 else f"GPU 1 of {len(gpus)}"
    return f"training on {which} ({', '.join(sorted(names))})"


def peak_memory() -> dict[str, int]:
    """The most bytes in use at once: "host", of this process, and "device", a GPU.

    Of several GPUs it is that of the fullest; where there is none, "device" is missing.
    """
    peaks = [
        tf.config.experimental.get_memory_info(gpu.name)["peak"]
        for gpu in tf.config.list_logical_devices("GPU")
    ]
    host = {"host": memory.peak_memory()}
    return host | ({"device": max(peaks)} if peaks else {})


@contextlib.contextmanager
def first_worker_first(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Worker 0 goes through the block, then all others do. Collective."""
    if not is_first_worker(strategy):
        # Python's own handler would have to wait for TensorFlow.
        with signals_handled(signal.SIG_DFL, signal.SIGINT):
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
        with signals_handled(signal.SIG_DFL, signal.SIGINT):
            return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        address = spec[task[0]][task[1]]
        reason = str(error.message).strip().splitlines()[0]
        raise InputError(
            f"--strategy multiworker: cannot join the cluster as {address} ({reason}); "
            f"is the port free, and are all other workers started?"
        ) from None
