"""The cluster that a worker belongs to: as TF_CONFIG says, or the Slurm job."""

import json
import os

import tensorflow as tf

from cyclegan_tf.common.errors import InputError

EXAMPLE = json.dumps(
    {
        "cluster": {"worker": ["host0:12345", "host1:12345"]},
        "task": {"type": "worker", "index": 0},
    }
)


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
