"""How does the step's time grow with the image size, the batch and the devices?

    python benchmarks/scaling.py
    python benchmarks/scaling.py --contestant ours-bfloat16 --image-sizes 256 512

Varies one at a time, the others being the first of their lists. One JSON line for each
point, as of `train_step.py`: each is a process of its own, and they take turns.
"""

import dataclasses
import statistics

from common import field, report, script

from benchmarks import train_step


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    image_sizes: list[int] = field(default_factory=lambda: [128, 64, 256], help="sides")
    batch_sizes: list[int] = field(default_factory=lambda: [1, 2, 4], help="per device")
    replicas: list[int] = field(
        default_factory=lambda: [1, 2], help="devices: GPUs, or parts of the CPU"
    )
    contestant: str = field("ours", help="see train_step.py")
    repeats: int = field(5, help="turns of each point")


def main(options):
    """Measures all points by turns."""
    points = list(points_of(options))
    processes = [train_step.start(options.contestant, point) for point in points]
    try:
        for process in processes:
            train_step.ask(process, 1)
        turns = [
            [train_step.ask(process, 1)["seconds"] for process in processes]
            for _ in range(options.repeats)
        ]
        peaks = [train_step.ask(process, 0)["peak_mib"] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for point, peak, *seconds in zip(points, peaks, *turns, strict=True):
        median = statistics.median(seconds)
        line = {
            "contestant": options.contestant,
            "image_size": point.image_size,
            "batch_size": point.batch_size,
            "replicas": point.replicas,
            "seconds_per_step": round(median, 4),
            "fastest": round(min(seconds), 4),
            "images_per_s": round(2 * point.batch_size * point.replicas / median, 3),
            "peak_mib": peak,
        }
        report(**line)


def points_of(options):
    """The first of each list, and what differs from that in one."""
    lists = {
        "image_size": options.image_sizes,
        "batch_size": options.batch_sizes,
        "replicas": options.replicas,
    }
    first = train_step.Options(**{name: values[0] for name, values in lists.items()})
    yield first
    for name, values in lists.items():
        for value in values[1:]:
            yield dataclasses.replace(first, **{name: value})


if __name__ == "__main__":
    script(main, Options, __doc__)
