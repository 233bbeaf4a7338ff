"""What do averages of the generators' weights cost, beside a training step?

    python benchmarks/averages.py
    python benchmarks/averages.py --image-size 64 --filters 16 --residual-blocks 3

Steps and moves of the averages take turns in one process. One JSON line: median CPU
seconds of each, the move's share of the step, and the memory of the averages.
"""

import dataclasses
import statistics
import time

import numpy as np
from common import field, quiet_start, report, script

from cyclegan_tf.config import TrainConfig

MOVES = 5  # per turn


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    image_size: int = field(128, help="side of the images, in pixels")
    batch_size: int = field(1, help="images of each domain per step")
    filters: int = field(64, help="of the networks")
    residual_blocks: int = field(9, help="of the generators")
    turns: int = field(9, help="of a step and some moves")


def main(options):
    """Lets both take turns."""
    with quiet_start():
        import tensorflow as tf

        from cyclegan_tf.data.domain import Domains
        from cyclegan_tf.model.averages import move_average
        from cyclegan_tf.training.build import build_model

    settings = dataclasses.asdict(options)
    del settings["turns"]
    model = build_model(TrainConfig(**settings), Domains(), 1000)
    step = tf.function(model.train_step)
    shape = (options.batch_size, options.image_size, options.image_size, 3)
    images = tf.random.stateless_uniform(shape, (0, 0), -1, 1)

    @tf.function
    def move():
        for direction, average in model.averages.items():
            taken = model.generator_optimizer.iterations
            network = model.generators[direction]
            move_average(average, network, taken, model.average_share)

    def take_step():
        float(step((images, images))["G_A"])

    def move_some():
        for _ in range(MOVES):
            move()

    take_step(), move_some()  # traced, and not counted
    turns = [(cpu_of(take_step), cpu_of(move_some)) for _ in range(options.turns)]
    seconds, moves = (statistics.median(values) for values in zip(*turns, strict=True))
    variables = [v for average in model.averages.values() for v in average.variables]
    report(
        **settings,
        step_cpu_s=round(seconds, 4),
        move_cpu_s=round(moves / MOVES, 5),
        share=round(moves / MOVES / seconds, 4),
        averages_mib=round(sum(4 * int(np.prod(v.shape)) for v in variables) / 2**20),
    )


def cpu_of(function):
    """CPU seconds of the process in a call: others may use the same cores."""
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    script(main, Options, __doc__)
