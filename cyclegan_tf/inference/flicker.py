"""How much the frames of a translated video flicker, and a remedy.

TensorFlow is imported for the remedy only.
"""

import numpy as np

from cyclegan_tf.common.console import counted, quiet_start

# An input that changes by so many grey levels keeps a third of the weight below.
STILL_LEVELS = 6.0
# Of the earlier output where the input stands still: a mean over about ten frames.
MEMORY = 0.9
# Sides, in pixels, over which noise is averaged, and over which a motion counts.
SMOOTHED, SPREAD = 9, 33


class Flicker:
    """Changes from frame to frame of a translation, against those of its input."""

    def __init__(self):
        self.num_frames = 0
        self.changes = np.zeros(2)  # sums, of the input and of the output
        self._last = None

    def update(self, real: np.ndarray, fake: np.ndarray) -> None:
        """Adds the next frame and its translation, uint8 of one size."""
        frames = [frame.astype(np.int16) for frame in (real, fake)]
        if self._last:
            self.changes += [
                np.abs(x - y).mean() for x, y in zip(frames, self._last, strict=True)
            ]
        self.num_frames += 1
        self._last = frames

    def __str__(self):
        count = counted(self.num_frames, "frame")
        if not self.changes[0]:
            return f"{count}, the input stands still"
        real, fake = self.changes / (self.num_frames - 1)
        return (
            f"{count}, flicker {fake / real:.2f}: the translation changes by "
            f"{fake:.1f} grey levels a frame, the input by {real:.1f}"
        )


class Steadier:
    """Blends each output with the earlier ones where the input stands still.

    A running mean of outputs, and, with the same weights, one of inputs. The weight of
    what was before falls with the distance of the input from its mean, so that slow
    changes add up, and what moves or is cut to is shown as it is.
    """

    def __init__(self):
        with quiet_start():
            import tensorflow as tf

        self._means = None
        self._mixed = tf.function(_mixed, reduce_retracing=True)

    def __call__(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """The next output, steadied; a frame and its translation are uint8 RGB."""
        frames = np.stack([real, fake]).astype(np.float32)
        means = frames if self._means is None else self._mixed(frames, self._means)
        self._means = np.asarray(means)
        return np.uint8(np.round(self._means[1]))


def _mixed(frames, means):
    """The next running means, float32 `(2, height, width, channels)`."""
    import tensorflow as tf

    change = tf.reduce_mean(tf.abs(frames[0] - means[0]), -1)[None, ..., None]
    change = tf.nn.avg_pool2d(change, SMOOTHED, 1, "SAME")
    for sides in ((SPREAD, 1), (1, SPREAD)):  # the same as of squares, with less work
        change = tf.nn.max_pool2d(change, sides, 1, "SAME")
    weight = MEMORY * tf.exp(-tf.square(change / STILL_LEVELS))
    return frames + weight * (means - frames)
