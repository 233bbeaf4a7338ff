"""The progress bar of a run."""

from cyclegan_tf.common.console import is_terminal, progress_bar, say, status_line
from cyclegan_tf.common.memory import bytes_text
from cyclegan_tf.training.callbacks.step import StepCallback
from cyclegan_tf.training.devices import peak_memory


class ProgressBar(StepCallback):
    """A bar over the whole run, the losses below; a line per finished epoch.

    Args:
        epochs: of the whole run.
        num_steps: of the whole run.
        throughput: measures the images per second.
        scores: has the scores of the epoch.
    """

    def __init__(self, epochs, num_steps, throughput, scores):
        super().__init__()
        self.epochs, self.num_steps = epochs, num_steps
        self.throughput, self.scores = throughput, scores
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        """Opens the bar at the first step, and says what the first step takes."""
        super().on_epoch_begin(epoch, logs)
        self.epoch = epoch + 1
        if self.bar is None:
            self.bar = progress_bar(self.num_steps, "", " steps", initial=self.step)
            self.losses = status_line()
            self.bar.set_description("tracing and compiling the step", refresh=True)

    def on_train_batch_end(self, batch, logs=None):
        """Moves on."""
        super().on_train_batch_end(batch, logs)
        if logs:
            self._show(logs)
        if self.bar.update():
            self.losses.refresh()

    def _show(self, logs):
        self.bar.set_description(f"epoch {self.epoch}/{self.epochs}", refresh=False)
        rate = f"{self.throughput.images_per_s:.3g} images/s"
        if is_terminal():
            self.bar.set_postfix_str(rate, refresh=False)
            brief = _in_brief(self._in_order(logs))
            self.losses.set_description_str(brief, refresh=False)
        else:
            words = _in_words(self._in_order(logs), 2)
            self.bar.set_postfix_str(f"{rate}, {words}", refresh=False)

    def on_epoch_end(self, epoch, logs=None):
        """Leaves a line."""
        name = self.scores.best_by
        scores = "".join(
            f"{name} {result.direction} {result.scores[name]:.4g}  "
            for result in self.scores.results
        )
        peaks = ", ".join(f"{k} {bytes_text(x)}" for k, x in peak_memory().items())
        say(
            f"epoch {epoch + 1}/{self.epochs}  "
            f"{_in_words(self._in_order(logs), 3)}  {scores}"
            f"{self.throughput.images_per_s:.3g} images/s  "
            f"waiting for input {self.throughput.input_wait:.1%}  peak memory {peaks}"
        )

    def _in_order(self, logs):
        """The losses as the model lists them; graphs sort them by name."""
        return {name: logs[name] for name in self.model.trackers}

    def close(self):
        """Removes the bar from the console."""
        if self.bar is not None:
            self.losses.close()
            self.bar.close()


def _in_words(logs, digits):
    return " ".join(f"{name} {logs[name]:.{digits}f}" for name in logs)


def _in_brief(logs):
    """All losses within 80 columns."""
    return "  ".join(
        f"{kind}_A|B {logs[f'{kind}_A']:.2f} {logs[f'{kind}_B']:.2f}"
        for kind in dict.fromkeys(name[:-2] for name in logs)
    )
