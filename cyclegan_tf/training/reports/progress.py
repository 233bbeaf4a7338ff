"""The progress bar of a run, and a line per epoch."""

from cyclegan_tf.common.console import is_terminal, progress_bar, say, status_line
from cyclegan_tf.common.memory import bytes_text
from cyclegan_tf.training.reports.record import Record


class ProgressBar:
    """A bar over the whole run, the losses below; a line with a score per epoch."""

    def __init__(self, epochs: int, num_steps: int, score: str):
        self.epochs, self.num_steps, self.score = epochs, num_steps, score
        self.bar = None

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Opens the bar the first time, and says what the first step takes."""
        self.epoch = f"epoch {epoch + 1}/{self.epochs}"
        if self.bar is None:
            self.bar = progress_bar(self.num_steps, "", " steps", initial=step)
            self.losses = status_line()
            self.bar.set_description("tracing and compiling the step", refresh=True)

    def after_step(self, losses: dict[str, float], images_per_s: float) -> None:
        """Moves on, and shows losses where there are any."""
        if losses:
            self.bar.set_description(self.epoch, refresh=False)
            rate = f"{images_per_s:.3g} images/s"
            if is_terminal():
                # All of them within 80 columns.
                brief = "  ".join(
                    f"{kind}_A|B {losses[f'{kind}_A']:.2f} {losses[f'{kind}_B']:.2f}"
                    for kind in dict.fromkeys(name[:-2] for name in losses)
                )
                self.losses.set_description_str(brief, refresh=False)
            else:
                rate = f"{rate}, {_in_words(losses, 2)}"
            self.bar.set_postfix_str(rate, refresh=False)
        if self.bar.update():
            self.losses.refresh()

    def after_epoch(self, record: Record) -> None:
        """Leaves a line."""
        scores = "".join(
            f"{self.score} {result.direction} {result.scores[self.score]:.4g}  "
            for result in record.results
        )
        peaks = ", ".join(f"{x} {bytes_text(n)}" for x, n in record.peaks.items())
        say(
            f"{self.epoch}  {_in_words(record.losses, 3)}  {scores}"
            f"{record.images_per_s:.3g} images/s  "
            f"waiting for input {record.input_wait:.1%}  peak memory {peaks}"
        )

    def close(self) -> None:
        """Removes the bar from the console."""
        if self.bar is not None:
            self.losses.close()
            self.bar.close()


def _in_words(losses, digits):
    return " ".join(f"{name} {loss:.{digits}f}" for name, loss in losses.items())
