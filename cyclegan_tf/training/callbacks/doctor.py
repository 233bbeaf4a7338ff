"""Looks, after each epoch, for signs that the training goes wrong."""

from collections.abc import Iterator

import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.data.ranges import to_shown, to_unit_range
from cyclegan_tf.inference.pixels import PIXELS_AT_ONCE, translate_all
from cyclegan_tf.training import doctor
from cyclegan_tf.training.callbacks.step import StepCallback

NUM_IMAGES = 16  # per domain
# Before, the networks are close to their initial weights; more often costs too much.
CHECK_EVERY = 500  # steps


class Doctor(StepCallback):
    """Asks the detectors of `training.doctor` after an epoch, and tells its findings.

    Each is a line in the console, a shorter one as long as it stays, and all are a
    text in TensorBoard. Nothing of the training is changed.

    Args:
        images_a, images_b: `(count, height, width, channels)`, fixed images.
        domains: their form.
        throughput: measures the share of the time spent waiting for input.
        log: `EventLog`.
        scores: has scored the epoch, or not; None: no epoch is.
        last_step: of the run.
    """

    def __init__(
        self, images_a, images_b, domains, throughput, log, scores=None, last_step=0
    ):
        super().__init__()
        self.images_a, self.images_b, self.domains = images_a, images_b, domains
        self.throughput, self.log = throughput, log
        self.scores, self.last_step, self.scored = scores, last_step, []
        self.checked_step, self.epochs, self.told = 0, [], set()

    def on_epoch_end(self, epoch, logs=None):
        """Examines, unless that was done a few steps ago."""
        if self.scores and self.scores.results:
            self.scored.append((self.step, self.scores.results))
        if self.step - self.checked_step < CHECK_EVERY:
            return
        self.checked_step = self.step
        self.epochs.append(logs)
        findings = [
            *self.examine(),
            *self.compare_with_nothing(),
            doctor.starved_input(self.throughput.input_wait),
        ]
        self.tell(findings, self.step)

    def tell(self, findings, step):
        """Says findings, each at length only the first time; None is no finding."""
        findings = [finding for finding in findings if finding]
        for name, sentence in findings:
            if name not in self.told:
                say(f"doctor: {sentence}")
        still = [name for name, _ in findings if name in self.told]
        if still:
            say(f"doctor: still {', '.join(still)}")
        self.told = {name for name, _ in findings}
        if findings:
            text = "\n".join(f"- {sentence}" for _, sentence in findings)
            with self.log.as_default(step=step):
                tf.summary.text("doctor", text)

    def examine(self) -> Iterator[doctor.Finding | None]:
        """What each detector finds in the model as it is."""
        model, (form_a, form_b) = self.model, self.domains
        gen_ab, gen_ba = model.trained_generators.values()
        real_a, real_b = self.images_a, self.images_b
        fake_b = translate_all(gen_ab, real_a, form_a, form_b)
        fake_a = translate_all(gen_ba, real_b, form_b, form_a)
        shown_a, shown_fake_a = to_shown(real_a, form_a), to_shown(fake_a, form_a)
        shown_b, shown_fake_b = to_shown(real_b, form_b), to_shown(fake_b, form_b)
        for direction, images, fakes, others in (
            ("A to B", shown_a, shown_fake_b, shown_b),
            ("B to A", shown_b, shown_fake_a, shown_a),
        ):
            yield doctor.colour_inversion(images, fakes, direction)
            yield doctor.collapse_to_identity(images, fakes, direction)
            yield doctor.collapse_to_one_image(images, fakes, direction)
            yield doctor.checkerboard(fakes, others, direction)
        for domain, form, disc, real, fakes, generator_loss in (
            ("A", form_a, model.disc_a, real_a, fake_a, "G_B"),
            ("B", form_b, model.disc_b, real_b, fake_b, "G_A"),
        ):
            losses = [logs[f"D_{domain}"] for logs in self.epochs]
            opposing = [logs[generator_loss] for logs in self.epochs]
            yield doctor.discriminator_won(losses, opposing, domain)
            scores = _apply(disc, real, form), _apply(disc, fakes, form)
            yield doctor.discriminator_gave_up(*scores, domain)

    def compare_with_nothing(self) -> Iterator[doctor.Finding | None]:
        """What is found in the scores of this process, by which the best is kept."""
        for i, direction in enumerate(("A to B", "B to A")) if self.scored else ():
            name = self.scores.best_by
            found = [(step, results[i]) for step, results in self.scored]
            nothing = found[-1][1].nothing.get(name)
            if nothing is not None:  # domains of other channels have none
                yield doctor.worse_than_nothing(
                    [(step, result.scores[name]) for step, result in found],
                    *(nothing, self.last_step, name, direction),
                )


def _apply(network, images, domain):
    """Outputs for a domain's images, a bounded number of them at a time."""
    at_once = max(1, PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    outputs = [
        network(to_unit_range(images[i : i + at_once], domain), training=False)
        for i in range(0, len(images), at_once)
    ]
    return tf.concat(outputs, axis=0).numpy()
