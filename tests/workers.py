"""Runs of several worker processes on this machine."""

import json
import os
import socket
import subprocess

from tests.helpers import TINY, command, flags

# Two replicas with a batch of 1 each: 12 images are an epoch of 6 steps. Pools that
# are not full return what they are given, in one process as in several.
OPTIONS = TINY | {
    "steps_per_epoch": None,
    "epochs": 1,
    "learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4,
    "identity_weight": 5.0,
    "pool_size": 12,
    "diffaugment": "color,translation,cutout",
    "checkpoint_every": 4,
}


def arguments(tiny_data_dir, run_dir, **options):
    given = OPTIONS | {"data_dir": tiny_data_dir, "run_dir": run_dir} | options
    return flags({name: value for name, value in given.items() if value is not None})


def start_workers(arguments, logs, num_workers=2):
    """Starts `train.py --strategy multiworker` on free ports of this machine."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(num_workers)]
    addresses = [f"localhost:{s.getsockname()[1]}" for s in sockets]
    for opened in sockets:
        opened.close()
    processes = []
    for index, log in enumerate(logs):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        with open(log, "w") as file:
            processes.append(
                subprocess.Popen(
                    command("train.py", *arguments, "--strategy", "multiworker"),
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=os.environ | {"TF_CONFIG": json.dumps(config)},
                )
            )
    return processes


def run_workers(arguments, directory):
    logs = [directory / "log0", directory / "log1"]
    processes = start_workers(arguments, logs)
    statuses = [process.wait(300) for process in processes]
    texts = [log.read_text() for log in logs]
    assert statuses == [0, 0], texts
    return texts
