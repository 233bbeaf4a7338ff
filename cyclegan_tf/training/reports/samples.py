"""Pictures of a run, epoch by epoch."""

import re

from cyclegan_tf.data.ranges import to_shown
from cyclegan_tf.evaluation.pictures import sample_grid, save_png
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.training.reports.event_log import EventLog
from cyclegan_tf.training.running import is_due

NUM_NEWEST = 20
NUM_EARLIER = 40  # at most


class Samples:
    """Translates the same images after every few epochs: real, fake, cycled, identity.

    Of a long run the newest 20 stay, and before them the first and every 2nd, 4th, 8th
    and so on, so that they are at most 40. TensorBoard gets at most 40 in all.

    Args:
        images: of A and of B, `(count, height, width, channels)`, fixed ones.
        domains: their form. Where they differ in channels, no identity is drawn.
        directory: gets `epoch-0001-a.png` and `epoch-0001-b.png`.
        every: number of epochs from one to the next; the last epoch is always drawn.
        epochs: of the whole run.
        log: gets the same pictures.
    """

    def __init__(self, images, domains, directory, every, epochs, log: EventLog):
        self.images, self.domains, self.directory = images, domains, directory
        self.every, self.epochs, self.log = every, epochs, log

    def draw(self, model: CycleGAN, epoch: int, step: int) -> None:
        """Draws one grid for A and one for B after an epoch, if it is time."""
        if not is_due(epoch, self.every, self.epochs):
            return
        gen_ab, gen_ba = model.trained_generators.values()
        (images_a, images_b), (a, b) = self.images, self.domains
        for domain, grid in (
            ("A", _grid("AB", images_a, a, b, gen_ab, gen_ba)),
            ("B", _grid("BA", images_b, b, a, gen_ba, gen_ab)),
        ):
            with self.log.errors_said_once("samples"):
                path = self.directory / f"epoch-{epoch + 1:04d}-{domain.lower()}.png"
                save_png(path, grid)
            if is_spaced(epoch // self.every, self.epochs // self.every):
                self.log.picture(f"samples/{domain}", grid, step)
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


def _grid(names, reals, form, other_form, there, back):
    fakes = translate_all(there, reals, form, other_form)
    cycled = translate_all(back, fakes, other_form, form)
    domain, other = names
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
