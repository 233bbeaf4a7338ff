"""Pictures of a run, epoch by epoch."""

import tensorflow as tf

from cyclegan_tf.evaluation.pictures import sample_grid, save_png
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.training.callbacks.step import StepCallback, is_due


class Samples(StepCallback):
    """Translates the same images after every few epochs: real, fake, cycled, identity.

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
            with self.log.as_default(step=self.step):
                tf.summary.image(f"samples/{domain}", grid[None])
