"""Is the input ever the bottleneck? Images per second of the pipeline and of the step.

    python benchmarks/input_pipeline.py                     the embedded dataset's run
    python benchmarks/input_pipeline.py --image-size 256 --filters 64 --num-steps 3

For 8-bit RGB, 16-bit grey and float32 with 8 bands prints one JSON line for the
pipeline with decoded images in memory, one for decoding each time, and one for the
training step, each as the median of repeats; then the share of one step's time that the
slower pipeline takes. Images of both domains count. The pictures are drawn at the load
size; integers are stored as PNG, which decodes more slowly than JPEG, floats as they
are.
"""

import dataclasses
import pathlib
import statistics
import tempfile
import time

import numpy as np
from common import field, quiet_start, report, script

from cyclegan_tf.config import RECOMMENDED, TrainConfig

KINDS = ("rgb-8-bit", "grey-16-bit", "8-bands-float32")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    image_size: int = field(64, help="side of the training crop, in pixels")
    filters: int = field(16, help="of the networks of the step")
    batch_size: int = field(1, help="images of each domain per step")
    num_images: int = field(100, help="images per domain")
    num_batches: int = field(300, help="of the pipeline, per repeat")
    num_steps: int = field(20, help="of training, per repeat; 0: leave it out")
    repeats: int = field(5, help="of which the median is taken")


def main(options):
    """Measures each kind of images and compares."""
    with quiet_start():
        import tensorflow as tf

        from cyclegan_tf.data import pipeline
        from cyclegan_tf.data.convert import ensure_dataset
        from cyclegan_tf.data.domain import Domains
        from cyclegan_tf.model.building import build_model

    settings = RECOMMENDED["synthetic/horse2zebra"] | {
        "image_size": options.image_size,
        "filters": options.filters,
        "batch_size": options.batch_size,
    }
    if options.filters >= 64:  # the paper's network, compiled as it would be
        settings |= {"residual_blocks": None, "jit": "auto"}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            config = TrainConfig(
                **settings, dataset=f"{folder}/{kind}", data_dir=f"{folder}/tfrecords"
            )
            write_images(kind, config, options.num_images)
            directory = ensure_dataset(config)
            splits = [pipeline.open_split(directory, f"train{d}") for d in "AB"]
            rates = {}
            for cache in ("memory", "none"):
                batches = batches_of(splits, config, cache)
                rates[cache] = measure(
                    lambda b=batches: next(b), options.num_batches, options
                )
                report_rates(f"{kind}, cache {cache}", rates[cache], options, tf)
            if not options.num_steps:
                continue
            domains = Domains(*(split.domain for split in splits))
            model = build_model(config, domains, steps_per_epoch=1000)
            step = tf.function(model.train_step)
            batch = next(batches_of(splits, config, config.cache))
            rates["step"] = measure(
                lambda f=step, x=batch: f(x), options.num_steps, options
            )
            report_rates(f"{kind}, step", rates["step"], options, tf)
        share = statistics.median(rates["step"]) / statistics.median(rates["none"])
        report(kind=kind, slower_pipeline_as_share_of_the_step=round(share, 4))


def write_images(kind, config, number):
    """A folder of drawn pictures, at the size that the crops are taken from."""
    from cyclegan_tf.data import drawing, writing

    rng = np.random.default_rng(0)
    for domain, coat in (("trainA", "brown"), ("trainB", "striped")):
        folder = pathlib.Path(config.dataset, domain)
        folder.mkdir(parents=True)
        for i in range(number):
            pixels = drawing.draw((0, i), coat, config.load_frame.height).image
            if kind != "rgb-8-bit":
                # Noise in all digits, as sensors have, compresses badly.
                pixels = pixels * 16.0 + rng.uniform(0, 16, pixels.shape)
            if kind == "grey-16-bit":
                pixels = pixels[..., :1].astype(np.uint16)
            elif kind == "8-bands-float32":
                pixels = np.concatenate([pixels] * 3, axis=-1)[..., :8]
                pixels = pixels.astype(np.float32)
            suffix = ".npy" if pixels.dtype == np.float32 else ".png"
            writing.write(folder / f"{i}{suffix}", pixels)


def batches_of(splits, config, cache):
    """What the training takes, from the first step on."""
    from cyclegan_tf.data import pipeline

    batches_from = pipeline.training_input(
        *splits,
        frame=config.frame,
        load_frame=config.load_frame,
        flip=config.flip,
        batch_size=config.batch_size,
        seed=config.seed,
        cache=cache,
    )
    return iter(batches_from(0))


def measure(run, number, options):
    """Images per second of each repeat."""
    run()
    rates = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        for _ in range(number):
            result = run()
        for leaf in result.values() if isinstance(result, dict) else result:
            leaf.numpy()  # waits until it is there
        elapsed = time.perf_counter() - start
        rates.append(2 * options.batch_size * number / elapsed)
    return rates


def report_rates(what, rates, options, tf):
    """Prints one JSON line."""
    report(
        what=what,
        images_per_s=float(f"{statistics.median(rates):.3g}"),
        lowest=float(f"{min(rates):.3g}"),
        highest=float(f"{max(rates):.3g}"),
        image_size=options.image_size,
        filters=options.filters,
        gpus=len(tf.config.list_physical_devices("GPU")),
        tensorflow=tf.__version__,
    )


if __name__ == "__main__":
    script(main, Options, __doc__)
