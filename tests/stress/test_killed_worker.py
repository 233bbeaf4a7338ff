import time

from cyclegan_tf.runs import checkpoint
from tests.helpers import assert_same_checkpoint
from tests.workers import arguments, run_workers, start_workers


def test_killed_worker_ends_the_others_and_all_continue(tmp_path, tiny_data_dir):
    # Full pools, so that each replica's own coins and images matter.
    options = {"steps_per_epoch": 60, "checkpoint_every": 8, "pool_size": 2}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_workers(arguments(tiny_data_dir, whole, **options), tmp_path)
    given = arguments(tiny_data_dir, cut, **options)
    # The one that writes is killed.
    said = kill_after_next_checkpoint(0, given, cut, tmp_path)
    assert "Traceback" not in said
    last_line = said.splitlines()[-1]
    assert "error: worker 1 of 2: another worker has ended" in last_line
    first, _ = run_workers(given, tmp_path)
    assert "continuing after step" in first
    last = "checkpoints/step-000000060.npz"
    assert_same_checkpoint(cut / last, whole / last)


def kill_after_next_checkpoint(victim, arguments, run_dir, directory):
    """Kills one of two workers in the middle; returns what the other one said."""
    logs = [directory / "killed0", directory / "killed1"]
    before = set(checkpoint.checkpoints(run_dir / "checkpoints"))
    processes = start_workers(arguments, logs)
    deadline = time.monotonic() + 200
    while not set(checkpoint.checkpoints(run_dir / "checkpoints")) - before:
        texts = [log.read_text() for log in logs]
        assert all(process.poll() is None for process in processes), texts
        assert time.monotonic() < deadline, texts
        time.sleep(0.01)
    processes[victim].kill()
    processes[victim].wait()
    assert processes[1 - victim].wait(120) == 2
    return logs[1 - victim].read_text()
