"""Pictures of a run, epoch by epoch."""

import re

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.ranges import to_shown
from cyclegan_tf.evaluation.pictures import sample_grid, save_png
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.training.reports.event_log import EventLog
from cyclegan_tf.training.running import Run, is_due

NUM_SAMPLES = 4
NUM_NEWEST = 20
NUM_EARLIER = 40  # at most


class Samples:
    """Translates the same images after every few epochs: real, fake, cycled, identity.

    They are the first of the images of A and of B. Of a long run the newest 20 stay,
    and before them the first and every 2nd, 4th, 8th and so on, so that they are at
    most 40. The log gets at most 40 in all.
    """

    def __init__(self, run: Run, images: list[np.ndarray], log: EventLog):
        self.run, self.images, self.log = run, images, log
        self.every, self.epochs = run.config.sample_every, run.config.epochs

    def draw(self, epoch: int, step: int) -> None:
        """Draws one grid for A and one for B after an epoch, if it is time."""
        if not is_due(epoch, self.every, self.epochs):
            return
        folder = self.run.path / "samples"
        there, back = self.run.model.trained_generators.values()
        (images_a, images_b), (a, b) = self.images, self.run.domains
        for names, *given in (
            ("AB", images_a, a, b, there, back),
            ("BA", images_b, b, a, back, there),
        ):
            domain, grid = names[0], _grid(names, *given)
            with self.log.errors_said_once("samples"):
                save_png(folder / f"epoch-{epoch + 1:04d}-{domain.lower()}.png", grid)
            if is_spaced(epoch // self.every, self.epochs // self.every):
                with self.log.at(step):
                    tf.summary.image(f"samples/{domain}", grid[None])
        with self.log.errors_said_once("samples"):
            self._remove_some(folder, epoch + 1)

    def _remove_some(self, folder, newest):
        for path in folder.glob("epoch-*.png"):
            found = re.fullmatch(r"epoch-(\d{4,})-[ab].png", path.name)
            epoch = int(found[1]) if found else newest
            is_new = newest - epoch < NUM_NEWEST * self.every
            number, total = ((e - 1) // self.every for e in (epoch, newest))
            if not (is_new or is_spaced(number, total)):
                path.unlink()


def _grid(names, images, form, other_form, there, back):
    domain, other = names
    reals = images[:NUM_SAMPLES]
    fakes = translate_all(there, reals, form, other_form)
    cycled = translate_all(back, fakes, other_form, form)
    columns = {
        f"real {domain}": to_shown(reals, form),
        f"fake {other}": to_shown(fakes, other_form),
        f"cycled {domain}": to_shown(cycled, form),
    }
    if form.channels == other_form.channels:
        same = translate_all(back, reals, form, form)
        columns[f"identity {domain}"] = to_shown(same, form)
    return sample_grid(columns)


def is_spaced(number: int, total: int) -> bool:
    """Whether one of `total`, counted from 0, is among at most 40 at equal distances.

    A distance is a power of two, so that those of a larger total are among them, too.
    """
    distance = 1
    while total > NUM_EARLIER * distance:
        distance *= 2
    return number % distance == 0
