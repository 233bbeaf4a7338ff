"""Memory of this machine, and of processes."""

import contextlib
import math
import pathlib

import psutil

CGROUP = pathlib.Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Free bytes of the machine, or of the container where that has less."""
    available = psutil.virtual_memory().available
    # No container, or one without a limit ("max").
    with contextlib.suppress(OSError, ValueError, KeyError):
        limit = int((CGROUP / "memory.max").read_text())
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        taken = int(dict(line.split() for line in lines)["anon"])
        available = min(available, limit - taken)
    return available


def peak_memory() -> int:
    """The most bytes of memory that this process has had at once."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        # Of this program alone; what getrusage says may be of the one that started it.
        [line] = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return psutil.Process().memory_info().rss


def bytes_text(num_bytes: float) -> str:
    """A number of bytes for people, such as "1.25 GiB"."""
    power = min(4, max(1, int(math.log2(max(1, num_bytes) * 1.024) // 10)))
    return f"{num_bytes / 1024**power:.3g} {' KMGT'[power]}iB"
