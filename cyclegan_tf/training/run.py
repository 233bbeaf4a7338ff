"""One run: from a config to a trained model in a run directory."""

import contextlib
import os
import pathlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from cyclegan_tf.common import files
from cyclegan_tf.common.console import markdown, say, show
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside
from cyclegan_tf.common.seeds import derived_seed
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import pipeline
from cyclegan_tf.data.convert import ensure_dataset, read_manifest
from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.evaluation.evaluator import Evaluator
from cyclegan_tf.evaluation.features import load_inception
from cyclegan_tf.evaluation.results import score_table
from cyclegan_tf.model import replicas
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.networks import build_discriminator, build_generator, with_dtype
from cyclegan_tf.model.optimizers import Adam, LossScaling
from cyclegan_tf.model.schedules import LinearDecay
from cyclegan_tf.runs import checkpoint, generators, history
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.training import callbacks, checkup, doctor, event_log, fine_tuning

NUM_SAMPLES = 4
LOSS_PLOT = "samples/losses.png"
NUM_SCORED = 200  # images of each domain
ADAM = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}


def train(config: TrainConfig) -> None:
    """Begins, continues or extends a run.

    Raises:
        InputError: something the user can mend, or the losses diverged.
        SystemExit: stopped by a signal, after saving; its status is 128 + the signal.
    """
    strategy = replicas.choose_strategy(config.strategy)
    say(_describe_devices(strategy))
    if config.precision == "float16" and strategy.num_replicas_in_sync > 1:
        # Each would have to skip a step whose gradient overflowed on any of them.
        raise InputError("--precision float16 is for one device; take bfloat16.")
    network = _feature_network(config)
    path = config.resolved_run_dir
    with contextlib.ExitStack() as stack:
        stack.enter_context(replicas.lost_workers_in_one_line(strategy))
        # The others wait until the first one has converted and written the config;
        # they then find the one done and compare themselves with the other.
        with replicas.first_worker_first(strategy):
            if replicas.is_first_worker(strategy):
                stack.enter_context(run_directory.locked(path, config.restart))
            else:
                run_directory.require_config(path)
            earlier = _earlier_generators(config, path)
            dataset = ensure_dataset(config)
            manifest = read_manifest(dataset)
            splits = {n: pipeline.open_split(dataset, n) for n in manifest["splits"]}
            evaluator = _make_evaluator(config, splits, manifest["is_paired"], network)
            run_id = run_directory.continue_run(path, config, manifest["fingerprint"])
        received = stack.enter_context(_stop_signals())
        run = _Run(config, path, run_id, splits, evaluator, received, strategy)
        run.go(earlier)
        # All end together, so that none takes the others for lost.
        replicas.wait_for_all(strategy)


def _feature_network(config):
    """For KID and FID, if they are asked for: each image takes a while on a CPU."""
    if config.best_by in ("kid", "fid") or config.inception_weights is not None:
        return load_inception(config.inception_weights)
    return None


def _make_evaluator(config, splits, is_paired, network):
    """Of the test images, or of training images where a domain has no others."""
    is_test = len(splits["testA"]) > 0 and len(splits["testB"]) > 0
    kind = "test" if is_test else "train"
    evaluator = Evaluator(
        splits[f"{kind}A"],
        splits[f"{kind}B"],
        config.image_size,
        is_paired and is_test,
        NUM_SCORED,
        network,
    )
    if config.best_by not in evaluator.names:
        needed = "test images in pairs" if network is None else "two images per domain"
        raise InputError(
            f"--best-by {config.best_by} needs {needed}, which {config.dataset} does "
            f"not have; take --best-by swd."
        )
    return evaluator


def _earlier_generators(config, path):
    """Those that a new run starts from; of a run with a checkpoint, none."""
    if config.init_from is None or checkpoint.checkpoints(
        path / generators.CHECKPOINTS
    ):
        return {}
    return fine_tuning.load_earlier(pathlib.Path(config.init_from).expanduser(), config)


def build_model(config: TrainConfig, steps_per_epoch: int) -> CycleGAN:
    """The compiled model at step 0; a function of the config alone."""
    keras.utils.set_random_seed(derived_seed(config.seed, "weights"))
    generator = {
        "filters": config.filters,
        "num_residual_blocks": config.resolved_residual_blocks,
        "norm": config.norm,
        "upsampling": config.upsampling,
    }
    discriminator = {
        "kind": config.discriminator,
        "filters": config.filters,
        "norm": config.norm,
    }
    networks = {
        "gen_ab": build_generator(**generator, name="gen_ab"),
        "gen_ba": build_generator(**generator, name="gen_ba"),
        "disc_a": build_discriminator(**discriminator, name="disc_a"),
        "disc_b": build_discriminator(**discriminator, name="disc_b"),
    }
    if config.precision != "float32":
        policy = f"mixed_{config.precision}"
        networks = {name: with_dtype(x, policy) for name, x in networks.items()}
    shape = (config.image_size, config.image_size, 3)
    model = CycleGAN(
        **networks,
        pool_a=ImagePool(config.pool_size, shape, derived_seed(config.seed, "pool a")),
        pool_b=ImagePool(config.pool_size, shape, derived_seed(config.seed, "pool b")),
        cycle_weight=config.cycle_weight,
        identity_weight=config.identity_weight,
        remat=config.remat,
    )
    schedule = learning_rate(config, steps_per_epoch)
    optimizers = [Adam(schedule, **ADAM) for _ in range(2)]
    if config.precision == "float16":  # small gradients would become zeros
        optimizers = [LossScaling(optimizer) for optimizer in optimizers]
    model.compile(*optimizers, jit=_uses_jit(config.jit))
    return model


def learning_rate(config: TrainConfig, steps_per_epoch: int) -> LinearDecay:
    """The schedule that the config asks for."""
    constant = config.resolved_constant_epochs
    decay = config.epochs - constant
    return LinearDecay(config.learning_rate, constant, decay, steps_per_epoch)


def options_table(config: TrainConfig) -> str:
    """The options as a table in Markdown, for TensorBoard."""
    rows = (f"| {n} | {markdown(value)} |" for n, value in config.resolved().items())
    return "\n".join(["| option | value |", "|-|-|", *rows])


class _Run:
    """A model, its data and its directory, at some step."""

    def __init__(
        self, config, path, run_id, splits, evaluator, received_signal, strategy
    ):
        self.config, self.path, self.run_id, self.splits = config, path, run_id, splits
        self.evaluator, self.received_signal = evaluator, received_signal
        self.strategy, self.warnings = strategy, event_log.Warnings()
        self.is_first = replicas.is_first_worker(strategy)
        self.checkpoints = path / generators.CHECKPOINTS
        self.num_replicas = strategy.num_replicas_in_sync
        self.steps_per_epoch = self._steps_per_epoch_of(self.num_replicas)
        self.num_steps = config.epochs * self.steps_per_epoch
        with strategy.scope():
            self.model = build_model(config, self.steps_per_epoch)

    def go(self, earlier):
        """Trains from the newest checkpoint to the end, and tells how it went.

        Args:
            earlier: generators by direction that a new run starts from.
        """
        trackers = self._resume()
        if earlier:
            fine_tuning.start_from(earlier, self.model)
            # From here on the run does not depend on the earlier one.
            self._save_checkpoint()
        if self.model.step >= self.num_steps:
            if self.is_first:
                self._complete()
            self._say(
                f"{self.path} is finished: {self.config.epochs} epochs, "
                f"{self.model.step} steps. To train on give more --epochs; to begin "
                f"anew, --restart."
            )
            return
        replicas = f" ({self.num_replicas} x {self.config.batch_size})"
        self._say(
            f"{self.path}: {self.num_steps - self.model.step} steps of batch size "
            f"{self.config.batch_size * self.num_replicas}"
            f"{replicas if self.num_replicas > 1 else ''} "
            f"to go, {self.steps_per_epoch} per epoch; "
            f"{len(self.splits['trainA'])} + {len(self.splits['trainB'])} images"
        )
        log = shlex.quote(str(self.path / "tensorboard"))
        self._say(f"watch it with: tensorboard --logdir {log}")
        try:
            self._fit(trackers)
        except checkpoint.NonFiniteState as error:
            raise InputError(self._advice(error)) from None
        except tf.errors.ResourceExhaustedError as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"out of memory or disk ({reason}); try a smaller --batch-size or "
                f"--image-size, or free some space, and run again."
            ) from None
        except callbacks.Stopped:
            self._save_checkpoint()
            self._say(
                f"stopped and saved after step {self.model.step}; "
                f"the same command continues"
            )
            # Of several workers only one may have been sent the signal.
            sys.exit(128 + (self.received_signal() or signal.SIGTERM))
        if self.is_first:
            self._conclude(self.scores.results)

    def _resume(self):
        """Restores the newest checkpoint; returns the loss trackers' values."""
        if self.is_first:
            # Of a process that was killed.
            files.remove_remains(self.path)
            checkpoint.remove_old(self.checkpoints)
        problem = None
        for path in checkpoint.checkpoints(self.checkpoints):
            try:
                num_replicas = checkpoint.restore(self.model, path, self.run_id)
            except checkpoint.DamagedCheckpoint as error:
                problem = error
                self._say(f"{error} Trying the one before.")
                continue
            self._say(f"continuing after step {self.model.step} from {path}")
            self._require_same_step()
            if num_replicas != self.num_replicas:
                self._change_replicas(num_replicas)
            return checkpoint.tracker_state(self.model)
        self._require_same_step()
        if problem:
            raise InputError(
                f"no checkpoint in {self.checkpoints} can be read; begin anew with "
                f"--restart."
            )
        return None

    def _require_same_step(self):
        step = self.model.step
        if not replicas.is_same_everywhere(self.strategy, step):
            raise InputError(
                f"this worker would continue {self.path} after step {step}, others "
                f"after another one; --run-dir must be on a disk that all share."
            )

    def _change_replicas(self, before):
        """Goes on with another number of devices, from the same place in the epoch."""
        step = self.model.step
        rate = self.steps_per_epoch / self._steps_per_epoch_of(before)
        model = self.model
        for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
            optimizer.iterations.assign(round(step * rate))
        self._say(
            f"trained with {before} devices before, now with {self.num_replicas}: the "
            f"result will not be the same to the bit; step {step} was one of batch "
            f"size {before * self.config.batch_size} and is now {self.model.step}"
        )
        self._save_checkpoint()
        if self.is_first:
            # Steps count anew, and the highest must be the newest.
            for path in checkpoint.checkpoints(self.checkpoints):
                if checkpoint.step_of(path) > self.model.step:
                    path.unlink()

    def _save_checkpoint(self):
        checkpoint.save(self.model, self.checkpoints, self.model.step, self.run_id)

    def _steps_per_epoch_of(self, num_replicas):
        return pipeline.steps_per_epoch(
            self.splits["trainA"], self.splits["trainB"], self.config, num_replicas
        )

    def _say(self, message):
        """What all workers would say, one does."""
        if self.is_first:
            say(message)

    def _fit(self, trackers):
        self.batches_from = pipeline.training_input(
            self.splits["trainA"], self.splits["trainB"], self.config
        )
        epoch, taken = divmod(self.model.step, self.steps_per_epoch)
        with contextlib.ExitStack() as stack:
            listed = [
                callbacks.RestoreTrackers(trackers if taken else None),
                callbacks.Guard(self._is_stop_requested),
                *(self._reports(stack) if self.is_first else ()),
                callbacks.Checkpoints(
                    self.checkpoints,
                    self.run_id,
                    self.config.checkpoint_every,
                    self._save_generators,
                ),
            ]
            if taken:
                # `fit` knows whole epochs only: what is left of this one comes first.
                self._fit_epochs(epoch, epoch + 1, self.steps_per_epoch - taken, listed)
                epoch += 1
            if epoch < self.config.epochs:
                self._fit_epochs(
                    epoch, self.config.epochs, self.steps_per_epoch, listed
                )

    def _reports(self, stack):
        """The callbacks that only tell; what they keep open is closed by `stack`."""
        writer = event_log.EventLog(self.path / "tensorboard", self.warnings)
        stack.enter_context(contextlib.closing(writer))
        if self.model.step == 0:
            self._describe_in(writer)
        schedule = learning_rate(self.config, self.steps_per_epoch)
        throughput = callbacks.Throughput(self.config.batch_size * self.num_replicas)
        images = self._fixed_images()
        checks = checkup.Checkup(*images, throughput, writer)
        tiny = (doctor.tiny_domain(len(self.splits[f"train{d}"]), d) for d in "AB")
        checks.tell(tiny, self.model.step)
        self.scores = callbacks.Evaluation(
            self.evaluator,
            self.config.evaluate_every,
            self.config.epochs,
            self.config.best_by,
            self.checkpoints,
            self.run_id,
            writer,
        )
        bar = callbacks.ProgressBar(
            self.config.epochs, self.num_steps, throughput, self.scores
        )
        stack.enter_context(contextlib.closing(bar))
        csv = self.path / "metrics.csv"
        return [
            throughput,
            self.scores,
            bar,
            callbacks.TensorBoardLog(writer, schedule, throughput),
            callbacks.MetricsCsv(csv, schedule, throughput, self.scores, self.warnings),
            callbacks.Samples(
                *(some[:NUM_SAMPLES] for some in images),
                self.path / "samples",
                self.config.sample_every,
                self.config.epochs,
                writer,
                self.warnings,
            ),
            checks,
        ]

    def _is_stop_requested(self, step):
        # All workers must stop after the same step. They agree only now and then,
        # since each must wait for the others.
        num_workers = replicas.worker_of(self.strategy)[1]
        if num_workers > 1 and step % callbacks.LOSSES_EVERY:
            return False
        is_received = self.received_signal() is not None
        return replicas.any_worker(self.strategy, is_received)

    def _batches(self, context):
        """This worker's part of the input, from the model's step on."""
        batches = self.batches_from(self.model.step, context)
        num_replicas = context.num_replicas_in_sync // context.num_input_pipelines
        return pipeline.with_waiting_time(batches, num_replicas)

    def _fit_epochs(self, first, last, steps_per_epoch, listed):
        self.model.fit(
            self.strategy.distribute_datasets_from_function(
                self._batches,
                # Ahead of the step, nobody would know how long it waits for them.
                tf.distribute.InputOptions(experimental_fetch_to_device=False),
            ),
            initial_epoch=first,
            epochs=last,
            steps_per_epoch=steps_per_epoch,
            callbacks=listed,
            shuffle=False,  # the pipeline has its own order
            verbose=0,
        )

    def _fixed_images(self):
        """A few images per domain: of the test set, or else of the training set."""
        images = []
        for domain in "AB":
            split = self.splits[f"test{domain}"]
            if not len(split):
                split = self.splits[f"train{domain}"]
            size = self.config.image_size
            images.append(pipeline.load_images(split, size, checkup.NUM_IMAGES))
        return images

    def _describe_in(self, writer):
        """Shows the options and the networks' graphs in TensorBoard."""
        shape = (1, self.config.image_size, self.config.image_size, 3)
        with writer.as_default(step=0):
            tf.summary.text("config", options_table(self.config))
        for network in (self.model.gen_ab, self.model.disc_a):
            kind = "generator" if network is self.model.gen_ab else "discriminator"
            graph = tf.function(network).get_concrete_function(
                tf.TensorSpec(shape, tf.float32)
            )
            log = event_log.EventLog(self.path / "tensorboard" / kind, self.warnings)
            with contextlib.closing(log), log.as_default(step=0):
                tf.summary.graph(graph.graph)

    def _save_generators(self, step):
        """Writes `model/`: both generators, and what one must know to use them."""
        if not self.is_first:
            return
        # Weights are float32 anyhow; what is saved computes in float32, too.
        trained = {
            direction: with_dtype(generator, "float32")
            for direction, generator in self.model.generators.items()
        }
        about = {
            "dataset": self.config.dataset,
            "step": step,
            "epochs": step / self.steps_per_epoch,
            "image_size": self.config.image_size,
        }
        generators.save_generators(self.path, trained, about, self.run_id)

    def _complete(self):
        """Writes what a finished run lacks, or has only damaged."""
        try:
            generators.require_whole(self.path)
        except InputError as error:
            say(f"{error} It is written anew.")
            self._save_generators(self.model.step)
        if not self._is_concluded():
            # It was stopped after the last checkpoint.
            self._conclude(self.evaluator.evaluate(self.model.generators))

    def _is_concluded(self):
        try:
            evaluations = run_scores.read(self.path)
        except InputError as error:
            say(f"{error} It is made anew.")
            return False
        has_scores = any(e["step"] == self.num_steps for e in evaluations)
        return has_scores and (self.path / LOSS_PLOT).is_file()

    def _conclude(self, results):
        with self.warnings.instead_of_errors("curves"):
            png = pictures.loss_plot(history.read(self.path / "metrics.csv"))
            with written_aside(self.path / LOSS_PLOT) as aside:
                aside.write_bytes(png)
        run_scores.record(self.path, self.num_steps, results, {"checkpoint": "last"})
        title = f"{self.path}, last: step {self.num_steps}"
        show(score_table(results, title))
        try:
            best = checkpoint.read_best(self.checkpoints)
        except InputError as error:
            say(str(error))
            best = {}
        if best:
            say(
                f"best by {best['best_by']}: step {best['step']} with "
                f"{best['value']:.4g}; --checkpoint best evaluates, exports, or "
                f"translates with it"
            )
        say(
            f"finished: models in {self.path / 'model'}, pictures in "
            f"{self.path / 'samples'}"
        )

    def _advice(self, error):
        newest = checkpoint.checkpoints(self.checkpoints)
        kept = (
            f"the checkpoint {newest[0]} is intact" if newest else "nothing was saved"
        )
        return (
            f"{self.path}: {error} after step {self.model.step}; {kept}. Begin anew "
            f"with --restart and a lower --learning-rate than "
            f"{self.config.learning_rate}."
        )


@contextlib.contextmanager
def _stop_signals() -> Iterator[Callable[[], int | None]]:
    """Turns the first Ctrl-C or SIGTERM into a request; the second stops at once.

    Yields:
        A function that returns the signal received, or None.
    """
    received: list[int] = []

    def handle(number, _):
        if received:
            raise KeyboardInterrupt
        received.append(number)
        # Not through a buffer, which the interrupted code may be writing to.
        os.write(2, b"\nstopping and saving after this step; once more: at once\n")

    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _uses_jit(mode):
    if mode != "auto":
        return mode == "on"
    if not tf.config.list_physical_devices("GPU"):
        return False  # no faster on a CPU, and slower to start
    try:
        tf.function(lambda x: x + 1.0, jit_compile=True)(tf.constant(1.0))
    except (tf.errors.OpError, ValueError):
        return False
    return True


def _describe_devices(strategy):
    gpus = tf.config.list_physical_devices("GPU")
    worker, num_workers = replicas.worker_of(strategy)
    num_replicas = strategy.num_replicas_in_sync
    if num_workers > 1:
        return (
            f"worker {worker} of {num_workers}: training on {num_replicas} devices "
            f"of all workers together, {num_replicas // num_workers} of them here"
        )
    if not gpus:
        copies = f" as {num_replicas} devices" if num_replicas > 1 else ""
        return f"no GPU found: training on {os.cpu_count()} CPU cores{copies}"
    names = {
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in gpus
    }
    which = f"all {len(gpus)} GPUs" if num_replicas > 1 else f"GPU 1 of {len(gpus)}"
    return f"training on {which} ({', '.join(sorted(names))})"
