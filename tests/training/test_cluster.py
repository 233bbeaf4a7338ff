import json

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.training import cluster, devices
from tests.helpers import assert_one_line_error, run_here

WORKERS = {"worker": ["localhost:1", "localhost:2"]}
FIRST = {"type": "worker", "index": 0}


@pytest.mark.parametrize(
    "tf_config, problem",
    [
        ("", "is not set"),
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ({"cluster": WORKERS}, "KeyError: 'task'"),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}, "no worker 2"),
        ({"cluster": WORKERS, "task": {"type": "chief", "index": 0}}, "no chief 0"),
        (
            {"cluster": WORKERS | {"ps": ["h:1"]}, "task": FIRST},
            "only chief and worker",
        ),
        ({"cluster": {"worker": ["localhost"]}, "task": FIRST}, "not host:port"),
        ({"cluster": {"worker": ["h:1", "h:1"]}, "task": FIRST}, "same address"),
    ],
)
def test_tf_config_that_is_wrong_is_told(monkeypatch, tf_config, problem):
    text = tf_config if isinstance(tf_config, str) else json.dumps(tf_config)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=f"TF_CONFIG.*{problem}.*cluster"):
        devices.choose_devices("multiworker")


def test_wrong_tf_config_is_one_line_on_the_console(monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", "{}")
    done = run_here(capsys, "train", "--strategy", "multiworker")
    assert_one_line_error(done, "TF_CONFIG is not understood (KeyError: 'cluster')")


def test_slurm_tasks_are_the_workers(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[3-4]")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "3")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "2,1")
    monkeypatch.setenv("SLURM_PROCID", "2")
    spec, task = cluster.cluster_of_slurm()
    assert spec == {"worker": ["node3:8888", "node3:8889", "node4:8888"]}
    assert task == ("worker", 2)
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS")
    with pytest.raises(InputError, match="Slurm.*start it with srun"):
        cluster.cluster_of_slurm()


def test_cluster_of_one_worker_is_one_machine(monkeypatch):
    only = {"cluster": {"worker": ["localhost:1"]}, "task": FIRST}
    monkeypatch.setenv("TF_CONFIG", json.dumps(only))
    found = devices.choose_devices("multiworker")
    assert (found.worker, found.num_workers, found.num_replicas) == (0, 1, 1)
