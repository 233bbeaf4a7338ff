"""Which devices train one run together, and how their workers wait for each other."""

import contextlib
import os
import signal
from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common import memory
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.kernels import uses_onednn
from cyclegan_tf.model.replicas import worker_of
from cyclegan_tf.training.cluster import cluster_of_slurm, cluster_of_tf_config
from cyclegan_tf.training.signals import signals_handled

# What a collective ends with when a worker is gone.
LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
)


class Devices:
    """The devices of a run, and the place of this process among its workers.

    There are `num_replicas` devices of all workers together. The first worker writes,
    and speaks for all. What is called collective must be called by all of them, in the
    same order.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy, self.num_replicas = strategy, strategy.num_replicas_in_sync
        self.worker, self.num_workers = worker_of(strategy)
        self.is_first = self.worker == 0

    def describe(self) -> str:
        """What trains, in a line."""
        gpus = tf.config.list_physical_devices("GPU")
        if self.num_workers > 1:
            return (
                f"worker {self.worker} of {self.num_workers}: training on "
                f"{self.num_replicas} devices of all workers together, "
                f"{self.num_replicas // self.num_workers} of them here"
            )
        if not gpus:
            number = self.num_replicas
            copies = f" as {number} devices" if number > 1 else ""
            kernels = " with oneDNN" if uses_onednn() else ""
            return (
                f"no GPU found: training on {os.cpu_count()} CPU cores{copies}"
                f"{kernels} (for an NVIDIA GPU on Linux: pip install '.[gpu]')"
            )
        names = {
            tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
            for gpu in gpus
        }
        count = len(gpus)
        which = f"all {count} GPUs" if self.num_replicas > 1 else f"GPU 1 of {count}"
        return f"training on {which} ({', '.join(sorted(names))})"

    @contextlib.contextmanager
    def first_worker_first(self) -> Iterator[None]:
        """Worker 0 goes through the block, then all others do. Collective."""
        if not self.is_first:
            # Python's own handler would have to wait for TensorFlow.
            with signals_handled(signal.SIG_DFL, signal.SIGINT):
                self.wait_for_all()
        yield
        if self.is_first:
            self.wait_for_all()

    def wait_for_all(self) -> None:
        """Returns when all workers have come here. Collective."""
        self._sum_over_workers(0)

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is set in any worker. Collective."""
        return self._sum_over_workers(float(flag)) > 0

    def is_same_everywhere(self, number: float) -> bool:
        """Whether all workers hold the same number; all get the answer. Collective."""
        differs = self._sum_over_workers(number) != self.num_workers * number
        return not self.any_worker(differs)

    def _sum_over_workers(self, number):
        if self.num_workers == 1:
            return number
        values = self.strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant(number, tf.float64)
        )
        total = float(self.strategy.reduce("SUM", values, axis=None))
        return total / (self.num_replicas // self.num_workers)

    @contextlib.contextmanager
    def lost_workers_in_one_line(self) -> Iterator[None]:
        """Turns the failure of a collective into an error that says what to do."""
        try:
            yield
        except LOST_WORKER as error:
            if self.num_workers == 1:
                raise
            raise InputError(
                f"worker {self.worker} of {self.num_workers}: another worker has ended "
                f"or cannot be reached ({type(error).__name__}); see what it said, "
                f"then start all again with the same command: they continue from the "
                f"last checkpoint."
            ) from None


def choose_devices(name: str) -> Devices:
    """The devices of `--strategy`; call it before anything is computed.

    "auto" is all GPUs of this machine where it has several, else "one", a single
    device; "mirrored" is all GPUs of this machine, or where it has none all logical CPU
    devices, see `tf.config.set_logical_device_configuration`; "multiworker" is the
    cluster that TF_CONFIG describes, or the Slurm job, for all of which this waits.

    Raises:
        InputError: the cluster is not described, or not understood.
    """
    num_gpus = len(tf.config.list_physical_devices("GPU"))
    if name == "multiworker":
        is_slurm = "TF_CONFIG" not in os.environ and "SLURM_PROCID" in os.environ
        spec, task = cluster_of_slurm() if is_slurm else cluster_of_tf_config()
        if sum(map(len, spec.values())) > 1:
            return Devices(_join(spec, task, num_gpus))
        name = "auto"  # a cluster of one machine
    if name == "mirrored" or (name == "auto" and num_gpus > 1):
        kind = "GPU" if num_gpus else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return Devices(tf.distribute.MirroredStrategy(devices))
    return Devices(tf.distribute.get_strategy())


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
