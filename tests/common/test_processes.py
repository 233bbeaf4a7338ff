"""Processes that are watched."""

import concurrent.futures
import os
import subprocess
import sys
import time

import psutil
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.memory import available_memory, peak_memory
from cyclegan_tf.common.processes import run_watched

MOST = 2**30


def count_to(tell, number):
    for i in range(number):
        tell(i)


def take_memory(tell):
    kept = []
    while True:
        kept.append(os.urandom(2**22))
        tell(len(kept))


def wait_with_another(tell):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    tell(other.pid)
    time.sleep(60)


def refuse(tell):
    tell(1)
    raise InputError("--flag is wrong.")


def abort(tell):
    os.abort()


def leave(tell):
    sys.exit(3)


def test_answers_come_in_order():
    assert run_watched(count_to, 3, most_bytes=MOST) == ([0, 1, 2], None)


def test_memory_is_bounded():
    answers, stopped_by = run_watched(take_memory, most_bytes=2**28)
    assert stopped_by == "memory"
    assert 20 < len(answers) < 100  # of 4 MiB, beside Python and its modules


def test_time_is_bounded_and_nothing_runs_on():
    started = time.monotonic()
    answers, stopped_by = run_watched(wait_with_another, most_bytes=MOST, seconds=8)
    assert stopped_by == "time" and time.monotonic() - started < 30
    for other in answers:  # on a busy machine it may not have come to tell
        assert not psutil.pid_exists(other) or is_zombie(other)


def is_zombie(pid):
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_other_threads_may_watch_too():
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        watched = threads.submit(run_watched, count_to, 3, most_bytes=MOST)
        assert watched.result() == ([0, 1, 2], None)


def test_errors_of_the_user_come_here():
    with pytest.raises(InputError, match="--flag is wrong"):
        run_watched(refuse, most_bytes=MOST)


def test_end_of_the_process_by_the_system_is_lack_of_memory():
    assert run_watched(abort, most_bytes=MOST) == ([], "memory")


def test_other_ends_are_errors():
    with pytest.raises(RuntimeError, match="leave ended with 3"):
        run_watched(leave, most_bytes=MOST)


def test_memory_is_known():
    assert 2**20 < psutil.Process().memory_info().rss <= peak_memory()
    assert peak_memory() < psutil.virtual_memory().total
    assert 0 < available_memory() <= psutil.virtual_memory().total
