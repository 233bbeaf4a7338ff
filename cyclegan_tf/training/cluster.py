"""The cluster that a worker belongs to: as TF_CONFIG says, or the Slurm job."""

import json
import os
import re

import tensorflow as tf

from cyclegan_tf.common.errors import InputError

EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


def cluster_of_slurm() -> tuple[dict[str, list[str]], tuple[str, int]]:
    """Addresses of the Slurm step's tasks by job, and this process' job and index."""
    try:
        # Slurm hands out the GPUs. One "GPU" per task, and as many of them as there
        # are tasks, keep the resolver from looking for them and handing them out.
        num_tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 0))
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=num_tasks, gpus_per_task=1, auto_set_gpu=False
        )
        return resolver.cluster_spec().as_dict(), resolver.get_task_info()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"--strategy multiworker: no TF_CONFIG, and the Slurm variables are not "
            f"understood ({error}); start it with srun."
        ) from None


def cluster_of_tf_config() -> tuple[dict[str, list[str]], tuple[str, int]]:
    """What TF_CONFIG says: addresses by job, and this process' job and index."""
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
        if set(spec) - {"chief", "worker"}:
            raise ValueError("only chief and worker take part in training")
        if not 0 <= index < len(spec.get(job, [])):
            raise ValueError(f"the cluster has no {job} {index}")
        addresses = sum(spec.values(), [])
        if len(set(addresses)) < len(addresses):
            raise ValueError("two workers have the same address")
        if not all(re.fullmatch(r".+:\d{1,5}", address) for address in addresses):
            raise ValueError("an address is not host:port")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"--strategy multiworker: TF_CONFIG is not understood "
            f"({type(error).__name__}: {error}); expected something like {EXAMPLE}."
        ) from None
    return spec, (job, index)
