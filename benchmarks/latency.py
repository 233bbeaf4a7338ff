"""Which form of a model translates fastest on this machine?

    pip install '.[export]'
    python benchmarks/latency.py
    python benchmarks/latency.py --run-dir runs/synthetic/horse2zebra

The same generator as SavedModel (its uint8 signature), ONNX file (ONNX Runtime), LiteRT
file and Keras model (`predict`, and its compiled call), on pictures of one size. One
JSON line for each form and batch: milliseconds per call, the median of repeats that are
interleaved, and their quartiles; and how often the SavedModel's time that is.
"""

import dataclasses
import pathlib
import statistics
import tempfile
import time

import numpy as np
from common import field, quartiles, quiet_start, report, script


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    run_dir: str | None = field(None, help="run to measure; default: random weights")
    filters: int = field(64, help="of the network with random weights")
    residual_blocks: int = field(9, help="likewise")
    side: int = field(256, help="of the pictures, in pixels")
    batch_sizes: list[int] = field(default_factory=lambda: [1, 8], help="of a call")
    repeats: int = field(5, help="of which the median is taken")


def main(options):
    """Writes every form of one generator and times them in turn."""
    with quiet_start():
        import tensorflow as tf

        from cyclegan_tf.config import ExportConfig
        from cyclegan_tf.exporting import run_exported
        from cyclegan_tf.exporting.formats import FORMATS
        from cyclegan_tf.model.networks import build_generator
        from cyclegan_tf.runs import generators

    if options.run_dir:
        generator = generators.load_generators(pathlib.Path(options.run_dir))["a_to_b"]
    else:
        generator = build_generator(options.filters, options.residual_blocks)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = ExportConfig(max_megapixels=100)
        for form in FORMATS:
            form.write({"a_to_b": generator}, folder, config)
        forms = {
            "SavedModel": from_saved_model(tf, folder),
            "ONNX Runtime": from_files(run_exported.onnx, folder),
            "LiteRT": from_files(run_exported.litert, folder),
            "Keras predict": keras_predict(generator),
            "Keras call": keras_call(tf, generator),
        }
        for batch_size in options.batch_sizes:
            rng = np.random.default_rng(0)
            shape = (batch_size, options.side, options.side, 3)
            measure(forms, rng.integers(0, 256, shape, np.uint8), options.repeats)


def measure(forms, pictures, repeats):
    """Times all forms in turn, so that a slow moment of the machine meets each."""
    milliseconds = {name: [] for name in forms}
    for turn in range(repeats + 1):
        for name, function in forms.items():
            start = time.perf_counter()
            translated = function(pictures)
            elapsed = 1000 * (time.perf_counter() - start)
            assert translated.shape == pictures.shape, name
            if turn:  # the first call traces, plans and allocates
                milliseconds[name].append(elapsed)
    base = statistics.median(milliseconds["SavedModel"])
    for name, values in milliseconds.items():
        low, median, high = quartiles(values, 1)
        figures = {
            "form": name,
            "batch": len(pictures),
            "side": pictures.shape[1],
            "ms": median,
            "quartiles": [low, high],
            "to_saved_model": round(median / base, 2),
        }
        report(**figures)


def from_saved_model(tf, directory):
    """The uint8 signature of a SavedModel."""
    loaded = tf.saved_model.load(str(directory))

    def translate(pictures):
        images = tf.constant(pictures)
        return loaded.signatures["a_to_b"](images=images)["translated"].numpy()

    return translate


def from_files(load, folder):
    """ONNX or LiteRT, as the verification of an export runs them."""
    run, _ = load(folder)
    return lambda pictures: run("a_to_b", pictures)


def keras_predict(generator):
    """`predict` on floats, with the conversion from and to grey levels around it."""
    from cyclegan_tf.data.domain import Domain
    from cyclegan_tf.data.ranges import to_unit_range, to_values

    def translate(pictures):
        floats = to_unit_range(pictures, Domain())
        fakes = generator.predict(floats, batch_size=len(pictures), verbose=0)
        return to_values(fakes, Domain())

    return translate


def keras_call(tf, generator):
    """What `cyclegan_tf.load` makes of a run: one compiled function."""
    from cyclegan_tf.data.domain import Domain
    from cyclegan_tf.inference.pixels import pixels_function, pixels_spec

    function = tf.function(
        pixels_function(generator, Domain(), Domain()),
        input_signature=[pixels_spec(Domain())],
    )
    return lambda pictures: function(tf.constant(pictures))["translated"].numpy()


if __name__ == "__main__":
    script(main, Options, __doc__)
