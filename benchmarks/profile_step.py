"""What does a training step spend its time on?

    python benchmarks/profile_step.py
    python benchmarks/profile_step.py --precision bfloat16

Prints one JSON line per kind of operation, the longest first: its seconds on all cores
together, its number, and its share of all. Then one line with the share of the
convolutions and the speed at which they ran, and that of a matrix product.
"""

import collections
import dataclasses
import pathlib
import tempfile
import time

from common import field, quiet_start, report, script

from benchmarks import train_step
from cyclegan_tf.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Options:
    """What to look at."""

    image_size: int = field(128, help="side of the images, in pixels")
    batch_size: int = field(1, help="images of each domain per step")
    filters: int = field(64, help="of the networks")
    residual_blocks: int = field(9, help="of the generators")
    precision: str = field("float32", help="see train.py")
    steps: int = field(3, help="to look at")
    shown: int = field(20, help="kinds of operations to print")


def main(options):
    """Profiles a few steps, after two that are not looked at."""
    with quiet_start():
        import tensorflow as tf

        from cyclegan_tf.data.domain import Domains
        from cyclegan_tf.training.build import build_model

    names = ("image_size", "batch_size", "filters", "residual_blocks", "precision")
    settings = {name: getattr(options, name) for name in names}
    # What XLA has fused cannot be told apart.
    model = build_model(TrainConfig(**settings, jit="off"), Domains(), 1000)
    step = tf.function(model.train_step)
    shape = (options.batch_size, options.image_size, options.image_size, 3)
    images = tf.random.stateless_uniform(shape, (0, 0), -1, 1)
    for _ in range(2):
        step((images, images))
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        for _ in range(options.steps):
            float(step((images, images))["G_A"])
        elapsed = (time.perf_counter() - start) / options.steps
        tf.profiler.experimental.stop()
        seconds, numbers = operations(pathlib.Path(folder))
    total = sum(seconds.values())
    for kind, value in seconds.most_common(options.shown):
        report(
            operation=kind,
            seconds=round(value / options.steps, 4),
            number=numbers[kind] // options.steps,
            share=round(value / total, 3),
        )
    convolutions = sum(s for kind, s in seconds.items() if "Conv2D" in kind) / total
    speed = train_step.gigaflop(model, options) / (convolutions * elapsed)
    report(
        seconds_per_step=round(elapsed, 3),
        convolutions=round(convolutions, 3),
        convolutions_gflop_per_s=round(speed),
        matrix_product_gflop_per_s=round(train_step.matrix_product_speed(tf)),
    )


def operations(folder):
    """Seconds and number of each kind of TensorFlow operation in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    [file] = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    seconds, numbers = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            # Operations are "name:kind"; what runs them is C++, with "::" or none.
            name = plane.event_metadata[event.metadata_id].name
            _, colon, kind = name.partition(":")
            if colon and kind.isidentifier():
                seconds[kind.removeprefix("_MklNative")] += event.duration_ps / 1e12
                numbers[kind.removeprefix("_MklNative")] += 1
    return seconds, numbers


if __name__ == "__main__":
    script(main, Options, __doc__)
