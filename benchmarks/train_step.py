"""How fast is a training step, beside common Keras and the authors' method in PyTorch?

    pip install -e ".[reference]"                    # PyTorch, for that contestant
    python benchmarks/train_step.py
    python benchmarks/train_step.py --image-size 64 --batch-size 2 --contestants ours

Each contestant trains in a process of its own on the same images, with the same
networks; they take turns, so that a slow moment of the machine meets each. One JSON
line per contestant: seconds per step (median and quartiles), images per second (both
domains), seconds to the first step, peak memory of the process, and the time as a
multiple of ours. Then the floor: the arithmetic of the step, and the time that it
would take at the speed of this machine's matrix product.

Contestants: ours, also with options as in ours-bfloat16-jit or ours-remat; keras
(`common_keras.py`); pytorch (`torch_reference.py`).
"""

import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
from common import quartiles, report, script

from cyclegan_tf.common.console import quiet_start
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.memory import peak_memory
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.config.options import option as field

SCRIPT = pathlib.Path(__file__).resolve()
NUM_IMAGES = 8
VARIANTS = {
    "jit": {"jit": "on"},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
    "remat": {"remat": True},
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    image_size: int = field(128, help="side of the images, in pixels")
    batch_size: int = field(1, help="images of each domain per step")
    filters: int = field(64, help="of the networks")
    residual_blocks: int = field(9, help="of the generators")
    replicas: int = field(1, help="devices of ours: GPUs, or parts of the CPU")
    repeats: int = field(5, help="turns of each contestant")
    steps: int = field(2, help="of a turn")
    contestants: list[str] = field(
        default_factory=lambda: ["ours", "keras", "pytorch"], help="who takes part"
    )
    contestant: str = field("", help="only be this contestant, for another process")


def main(options):
    """Lets the contestants take turns, or is one of them."""
    if options.contestant:
        be_contestant(options)
        return
    processes = {name: start(name, options) for name in options.contestants}
    try:
        race(processes, options)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


# The referee.


def start(name, options):
    """A contestant's process, which has not begun yet."""
    arguments = [f"--{k.replace('_', '-')}={v}" for k, v in network_of(options).items()]
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), "--contestant", name, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def network_of(options):
    """The options that a contestant needs."""
    names = ("image_size", "batch_size", "filters", "residual_blocks", "replicas")
    return {name: getattr(options, name) for name in names}


def race(processes, options):
    """First steps one after the other, then turns; prints what came out."""
    first = {name: ask(process, 1) for name, process in processes.items()}
    for name in [name for name, answer in first.items() if answer is None]:
        print(f"{name} does not take part (see above)", file=sys.stderr)
        del first[name]
    seconds = {name: [] for name in first}
    for _ in range(options.repeats):
        for name in first:
            answer = ask(processes[name], options.steps)
            seconds[name].append(answer["seconds"] / options.steps)
    reference = statistics.median(seconds["ours"]) if "ours" in seconds else None
    for name, values in seconds.items():
        low, median, high = quartiles(values, 4)
        report(
            contestant=name,
            **network_of(options),
            seconds_per_step=median,
            quartiles=[low, high],
            images_per_s=round(2 * options.batch_size * options.replicas / median, 3),
            first_step_s=round(first[name]["seconds"], 1),
            peak_mib=ask(processes[name], 0)["peak_mib"],
            to_ours=round(median / reference, 2) if reference else None,
        )
    if "ours" in first:
        gigaflop, speed = first["ours"]["gigaflop"], first["ours"]["gflop_per_s"]
        floor = gigaflop / speed
        report(
            floor=f"{gigaflop:.0f} GFLOP at {speed:.0f} GFLOP/s",
            seconds=round(floor, 2),
            share_reached=round(floor / reference, 2),
        )


def ask(process, steps):
    """Lets a contestant do so many steps; None if it cannot take part."""
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    return json.loads(answer) if answer else None


# The contestants.


def be_contestant(options):
    """Answers each line of the standard input, a number of steps, by a JSON line."""
    builders = {"ours": ours, "keras": common_keras, "pytorch": pytorch}
    kind, *variants = options.contestant.split("-")
    if kind not in builders or not set(variants) <= set(VARIANTS):
        raise InputError(
            f"--contestants takes {', '.join(builders)}, and ours with "
            f"-{', -'.join(VARIANTS)}; got {options.contestant!r}."
        )
    more = {k: v for name in variants for k, v in VARIANTS[name].items()}
    rng = np.random.default_rng(0)
    shape = (NUM_IMAGES, 2, options.batch_size, options.image_size, options.image_size)
    images = rng.uniform(-1, 1, (*shape, 3)).astype(np.float32)
    step = about = None
    for line in sys.stdin:
        start = time.perf_counter()
        if step is None:
            step, about = builders[kind](options, **more)
        for i in range(int(line)):
            step(*images[i % NUM_IMAGES])
        elapsed = time.perf_counter() - start
        answer = {"seconds": elapsed, "peak_mib": peak_memory() // 2**20}
        if about:
            answer |= about()
            about = None
        report(**answer)


def ours(options, **more):
    """The product's own model and step, as `train.py` builds and `fit` calls it."""
    with quiet_start():
        import tensorflow as tf

        from cyclegan_tf.data.domain import Domains
        from cyclegan_tf.model.building import build_model

    settings = network_of(options) | more
    strategy = strategy_of(settings.pop("replicas"), tf)
    with strategy.scope():
        model = build_model(TrainConfig(**settings), Domains(), 1000)
    # Of several devices, each takes the same batch.
    function = tf.function(lambda data: strategy.run(model.train_step, (data,)))

    def step(real_a, real_b):
        logs = function((tf.constant(real_a), tf.constant(real_b)))
        losses = strategy.experimental_local_results(logs["G_A"])
        return [float(loss) for loss in losses]  # waits for the end of it

    def about():
        return {
            "gigaflop": gigaflop(model, options),
            "gflop_per_s": matrix_product_speed(tf),
        }

    return step, about


def strategy_of(replicas, tf):
    """Lets so many devices train together; without as many GPUs, parts of the CPU."""
    if replicas == 1:
        return tf.distribute.get_strategy()
    kind = "GPU" if len(tf.config.list_physical_devices("GPU")) >= replicas else "CPU"
    if kind == "CPU":
        [cpu] = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * replicas
        tf.config.set_logical_device_configuration(cpu, parts)
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(replicas)])


def common_keras(options):
    """Keras as in tutorials."""
    with quiet_start():
        import tensorflow as tf

        from benchmarks.common_keras import CommonCycleGAN

    model = CommonCycleGAN(options.filters, options.residual_blocks)

    def step(real_a, real_b):
        return float(model.step(tf.constant(real_a), tf.constant(real_b))[0])

    return step, None


def pytorch(options):
    """The authors' method."""
    try:
        import torch
    except ImportError:
        raise InputError("pytorch: pip install -e '.[reference]'") from None

    from benchmarks.torch_reference import TorchCycleGAN

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = TorchCycleGAN(
        options.filters, options.residual_blocks, "patch46", device=device
    )

    def step(real_a, real_b):
        images = (
            torch.from_numpy(x).permute(0, 3, 1, 2).contiguous().to(device)
            for x in (real_a, real_b)
        )
        return float(model.step(*images)["G_A"])

    return step, None


def gigaflop(model, options):
    """Multiplications and additions of the convolutions of one step, in 10^9.

    A pass costs as much as each of the two gradients. Generators: six passes with both
    gradients. Discriminators: two passes with the gradient of their input for the
    generators, and four with that of their weights, and of all inputs but the first.
    """
    from cyclegan_tf.model.cost import multiply_adds

    generator, discriminator = (
        2 * multiply_adds(network, options.image_size, options.image_size)
        for network in (model.gen_ab, model.disc_a)
    )
    passes = 6 * 3 * generator + (2 * 2 + 4 * 3) * discriminator
    return options.batch_size * passes / 1e9


def matrix_product_speed(tf, side=2048, repeats=5):
    """The best of a few float32 products, in GFLOP/s."""
    matrix = tf.random.normal((side, side))
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        float(tf.linalg.matmul(matrix, matrix)[0, 0])
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best / 1e9


if __name__ == "__main__":
    script(main, Options, __doc__)
