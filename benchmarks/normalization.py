"""Which instance normalization? Keras' GroupNormalization, ours, and ours fused.

    python benchmarks/normalization.py

Forward and backward with a ReLU behind it, as in the networks, without XLA and with
it, in shapes of the full-size generator at 128 px (batch 2: translation and identity).
One JSON line per shape: milliseconds, medians of interleaved repeats.
"""

import dataclasses
import statistics
import time

from common import field, quiet_start, report, script

SHAPES = ((1, 32, 32, 256), (2, 32, 32, 256), (2, 64, 64, 128), (2, 128, 128, 64))


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    dtype: str = field("float32", help="of the images")
    repeats: int = field(9, help="of which the median is taken")
    calls: int = field(5, help="per repeat")


def main(options):
    """Measures every shape."""
    with quiet_start():
        import keras
        import tensorflow as tf

        from cyclegan_tf.model.layers import InstanceNormalization

    tf.get_logger().setLevel("ERROR")  # many functions are traced, and each is meant
    policy = "float32" if options.dtype == "float32" else f"mixed_{options.dtype}"
    for shape in SHAPES:
        images, arriving = (
            tf.cast(tf.random.stateless_normal(shape, (seed, 0)), options.dtype)
            for seed in range(2)
        )
        plain, fused = (InstanceNormalization(dtype=policy) for _ in range(2))
        fused.fused = True
        group = keras.layers.GroupNormalization(-1, epsilon=1e-5, dtype=policy)
        layers = {"group": group, "ours": plain, "ours, fused": fused}
        ways = {}
        for name, layer in layers.items():
            layer.build(shape)
            for jit in (False, True):
                way = f"{name}, XLA" if jit else name
                ways[way] = there_and_back(layer, jit, tf)
        figures = measure(ways, images, arriving, options)
        report(shape=shape, ms=figures)


def there_and_back(layer, jit, tf):
    """A function from images and an arriving gradient to gradients."""

    @tf.function(jit_compile=jit)
    def run(images, arriving):
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = tf.nn.relu(layer(images, training=True))
        return tape.gradient(outputs, [images, *weights], arriving)

    return run


def measure(ways, images, arriving, options):
    """Milliseconds per call of each way."""
    seconds = {way: [] for way in ways}
    for run in ways.values():
        run(images, arriving)
    for _ in range(options.repeats):
        for way, run in ways.items():
            start = time.perf_counter()
            for _ in range(options.calls):
                gradients = run(images, arriving)
            gradients[0].numpy()  # waits until it is there
            seconds[way].append((time.perf_counter() - start) / options.calls)
    return {way: round(1e3 * statistics.median(s), 2) for way, s in seconds.items()}


if __name__ == "__main__":
    script(main, Options, __doc__)
