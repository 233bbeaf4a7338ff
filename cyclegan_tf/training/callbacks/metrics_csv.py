"""The rows of `metrics.csv`."""

from cyclegan_tf.evaluation.results import flat_scores
from cyclegan_tf.runs import history
from cyclegan_tf.training.callbacks.step import StepCallback


class MetricsCsv(StepCallback):
    """Writes one row per epoch: losses, learning rate, images/s, waiting, scores.

    Args:
        path: the CSV file; rows after the step that the run resumes at are dropped.
        schedule: the learning rate as a function of the step.
        throughput: measures images per second and the wait for input.
        scores: has the scores of the epoch; their cells of others stay empty.
        log: `EventLog`, for where it cannot be written.
    """

    def __init__(self, path, schedule, throughput, scores, log):
        super().__init__()
        self.path, self.schedule, self.throughput = path, schedule, throughput
        self.scores, self.log = scores, log
        self.rows = None

    def on_epoch_end(self, epoch, logs=None):
        """Rewrites the file with one more row."""
        with self.log.errors_said_once("metrics"):
            if self.rows is None:  # from then on the file may vanish
                self.rows = history.read_history(self.path)
            self.rows = [row for row in self.rows if row["epoch"] <= epoch]
            self.rows.append(
                {"epoch": epoch + 1, "step": self.step}
                | {name: float(logs[name]) for name in self.model.trackers}
                | {
                    "learning_rate": float(self.schedule(self.step - 1)),
                    "images_per_s": self.throughput.images_per_s,
                    "input_wait": self.throughput.input_wait,
                }
                | flat_scores(self.scores.results)
            )
            history.write_history(self.path, self.rows)
