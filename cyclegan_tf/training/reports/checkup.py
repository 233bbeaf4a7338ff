"""Looks, after each epoch, for signs that the training goes wrong."""

import functools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from cyclegan_tf.common.console import say
from cyclegan_tf.data.ranges import to_shown, to_unit_range
from cyclegan_tf.inference.pixels import in_batches, translate_all
from cyclegan_tf.training import doctor
from cyclegan_tf.training.reports.event_log import EventLog
from cyclegan_tf.training.reports.record import Record
from cyclegan_tf.training.running import Run

NUM_IMAGES = 16  # per domain
# Before, the networks are close to their initial weights; more often costs too much.
CHECK_EVERY = 500  # steps


class Checkup:
    """Measures what `training.doctor` has limits for, and tells its findings.

    Each is a line in the console, a shorter one as long as it stays, and all are a
    text in the log. The images, of A and of B in their domains' form, stay the same.
    """

    def __init__(self, run: Run, images: list[np.ndarray], log: EventLog):
        self.run, self.images, self.log = run, images, log
        # Of this process.
        self.checked_step, self.losses, self.scored, self.told = 0, [], [], set()
        self.num_new_epochs = 0  # since the last look
        has_identity = run.domains.a.channels == run.domains.b.channels
        self.advice = doctor.advice(run.config, has_identity)

    def examine(self, record: Record) -> None:
        """Looks at the model after an epoch, unless that was done a few steps ago."""
        if record.results:
            self.scored.append((record.step, record.results))
        self.losses.append(record.losses)
        self.num_new_epochs += 1
        if record.step - self.checked_step < CHECK_EVERY:
            return
        self.checked_step = record.step
        starved = doctor.finding("starved input", "", record.input_wait)
        found = [*self._of_networks(), *self._of_scores(), starved]
        self.num_new_epochs = 0
        self._tell([finding for finding in found if finding], record.step)

    def _tell(self, findings, step):
        """Says findings, each at length only the first time."""
        for name, sentence in findings:
            if name not in self.told:
                say(f"doctor: {sentence}")
        still = [name for name, _ in findings if name in self.told]
        if still:
            say(f"doctor: still {', '.join(still)}")
        self.told = {name for name, _ in findings}
        if findings:
            text = "\n".join(f"- {sentence}" for _, sentence in findings)
            with self.log.at(step):
                tf.summary.text("doctor", text)

    def _of_networks(self) -> Iterator[doctor.Finding | None]:
        (real_a, real_b), (form_a, form_b) = self.images, self.run.domains
        model = self.run.model
        gen_ab, gen_ba = model.trained_generators.values()
        fake_b = translate_all(gen_ab, real_a, form_a, form_b)
        fake_a = translate_all(gen_ba, real_b, form_b, form_a)
        shown_a, shown_fake_a = to_shown(real_a, form_a), to_shown(fake_a, form_a)
        shown_b, shown_fake_b = to_shown(real_b, form_b), to_shown(fake_b, form_b)
        for direction, images, fakes, others in (
            ("A to B", shown_a, shown_fake_b, shown_b),
            ("B to A", shown_b, shown_fake_a, shown_a),
        ):
            for sign, value in (
                ("colour inversion", doctor.luminance_correlation(images, fakes)),
                ("identity", doctor.mean_change(images, fakes)),
                ("one image", doctor.variety(images, fakes)),
                ("checkerboard", doctor.checkerboard_levels(fakes, others)),
            ):
                yield doctor.finding(sign, direction, value, **self.advice)
        for name, form, disc, real, fakes, opposing in (
            ("D_A", form_a, model.disc_a, real_a, fake_a, "G_B"),
            ("D_B", form_b, model.disc_b, real_b, fake_b, "G_A"),
        ):
            losses = [(epoch[name], epoch[opposing]) for epoch in self.losses]
            won = doctor.epochs_won(losses)
            # A few short epochs prove nothing.
            won = won if won >= self.num_new_epochs else 0
            yield doctor.finding("has won", name, won, **self.advice)
            judged = functools.partial(_judged, disc, form)
            patches = np.concatenate([in_batches(judged, x) for x in (real, fakes)])
            deviation = patches.std(dtype=np.float64)
            yield doctor.finding("has given up", name, deviation)

    def _of_scores(self) -> Iterator[doctor.Finding | None]:
        score, last_step = self.run.config.best_by, self.run.num_steps
        for i, direction in enumerate(("A to B", "B to A")) if self.scored else ():
            history = [(step, x[i].scores[score]) for step, x in self.scored]
            nothing = self.scored[-1][1][i].nothing.get(score)
            if nothing is not None:  # domains of other channels have none
                excess = doctor.expected_excess(history, nothing, last_step)
                details = {"score": score, "now": history[-1][1]}
                details |= {"nothing": nothing, "last_step": last_step}
                yield doctor.finding("worse than nothing", direction, excess, **details)


def _judged(disc, form, images):
    return disc(to_unit_range(images, form), training=False)
