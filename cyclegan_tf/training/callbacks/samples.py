"""Pictures of a run, epoch by epoch."""

import re

import tensorflow as tf

from cyclegan_tf.evaluation.pictures import sample_grid, save_png
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.training.callbacks.step import StepCallback, is_due

NUM_NEWEST = 20
NUM_EARLIER = 40  # at most


class Samples(StepCallback):
    """Translates the same images after every few epochs: real, fake, cycled, identity.

    Of a long run the newest 20 stay, and before them the first and every 2nd, 4th, 8th
    and so on, so that they are at most 40. TensorBoard gets at most 40 in all.

    Args:
        images_a, images_b: uint8 `(count, height, width, 3)`, fixed images.
        directory: gets `epoch-0001-a.png` and `epoch-0001-b.png`.
        every: number of epochs from one to the next; the last epoch is always drawn.
        epochs: of the whole run.
        log: `EventLog` that gets the same pictures.
    """

    def __init__(self, images_a, images_b, directory, every, epochs, log):
        super().__init__()
        self.images = {"a": images_a, "b": images_b}
        self.directory, self.log = directory, log
        self.every, self.epochs = every, epochs

    def on_epoch_end(self, epoch, logs=None):
        """Draws one grid for A and one for B."""
        if not is_due(epoch, self.every, self.epochs):
            return
        gen_ab, gen_ba = self.model.trained_generators.values()
        for domain, there, back, other in (
            ("A", gen_ab, gen_ba, "B"),
            ("B", gen_ba, gen_ab, "A"),
        ):
            reals = self.images[domain.lower()]
            fakes = translate_all(there, reals)
            grid = sample_grid(
                {
                    f"real {domain}": reals,
                    f"fake {other}": fakes,
                    f"cycled {domain}": translate_all(back, fakes),
                    f"identity {domain}": translate_all(back, reals),
                }
            )
            with self.log.errors_said_once("samples"):
                path = self.directory / f"epoch-{epoch + 1:04d}-{domain.lower()}.png"
                save_png(path, grid)
            if is_spaced(epoch // self.every, self.epochs // self.every):
                with self.log.as_default(step=self.step):
                    tf.summary.image(f"samples/{domain}", grid[None])
        with self.log.errors_said_once("samples"):
            self._remove_some(epoch + 1)

    def _remove_some(self, newest):
        for path in self.directory.glob("epoch-*.png"):
            found = re.fullmatch(r"epoch-(\d{4,})-[ab].png", path.name)
            epoch = int(found[1]) if found else newest
            is_new = newest - epoch < NUM_NEWEST * self.every
            number, total = ((e - 1) // self.every for e in (epoch, newest))
            if not (is_new or is_spaced(number, total)):
                path.unlink()


def is_spaced(number: int, total: int) -> bool:
    """Whether one of `total`, counted from 0, is among at most 40 at equal distances.

    A distance is a power of two, so that those of a larger total are among them, too.
    """
    distance = 1
    while total > NUM_EARLIER * distance:
        distance *= 2
    return number % distance == 0
