"""What a command refuses before it imports TensorFlow, which takes seconds.

That is whatever shows in the options and in names on the disk, raised as `InputError`.
What uses a file looks at it again, as it may have changed meanwhile.
"""

import contextlib
import glob
import importlib.util
import io
import pathlib
import socket

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import require_folder
from cyclegan_tf.config import (
    DatasetConfig,
    DemoConfig,
    DistillConfig,
    EvaluateConfig,
    ExportConfig,
    ImportConfig,
    TrainConfig,
)
from cyclegan_tf.inference.translator import refuse_for_export, require_model
from cyclegan_tf.runs import directory, saved


def before_training(config: TrainConfig) -> None:
    """What a run, or a plan of one, cannot begin or go on with."""
    path = config.resolved_run_dir
    directory.require_a_run(path)
    _require_weights_of_inception(config)
    begun = None if config.restart else directory.require_same_options(path, config)
    if begun is not None:
        saved.require_checkpoints(path)
        if config.dry_run:
            _require_unfinished(path, config.epochs)
        return
    for other in filter(None, (config.init_from, config.teacher)):
        saved.require_trained(pathlib.Path(other).expanduser())
    before_conversion(config)


def before_conversion(config: DatasetConfig) -> None:
    """What of the images shows by their names."""
    from cyclegan_tf.data.sources import find_source, folder, synthetic, tfds

    data_dir = pathlib.Path(config.data_dir).expanduser()
    require_folder("--data-dir", data_dir)
    converted = data_dir / config.dataset_name
    versions = converted.parent.glob(f"{glob.escape(converted.name)}@*")
    if converted.is_dir() or any(versions):
        return  # its source may be gone by now
    # What is said of files that are not used is said when they are converted.
    with contextlib.redirect_stderr(io.StringIO()):
        if synthetic.find(config) or folder.find(config) or tfds.may_have(config):
            return
        find_source(config)


def before_evaluation(config: EvaluateConfig) -> None:
    """Of each model that is scored, and of what it is scored on."""
    runs = []
    for path in config.run_dirs:
        require_model(path)
        if (path / directory.CONFIG).is_file():
            runs.append(path)
            saved.require_trained(path, config.checkpoint)
        elif config.report:
            raise InputError(
                f"--report is on runs, and {path} is an export; without --report it is "
                f"compared with the others in a table."
            )
    if not runs:
        refuse_for_export(config.run_dirs[0], config.checkpoint, config.weights)
    _require_weights_of_inception(config)
    if config.dataset_options is not None:
        before_conversion(config.dataset_options)
    elif not runs:
        raise InputError(
            f"{config.run_dir[0]} does not say which images it is to be scored on: put "
            f"its run beside it, or give --dataset."
        )


def before_export(config: ExportConfig) -> None:
    """Of the run, and of the place of the export."""
    require_folder("--output", config.resolved_output)
    if not config.run_dir.startswith("hf://"):
        saved.require_trained(
            pathlib.Path(config.run_dir).expanduser(), config.checkpoint
        )


def before_distillation(config: DistillConfig) -> None:
    """Of the teacher, and of its images where they are named anew."""
    run_dir = pathlib.Path(config.run_dir).expanduser()
    options = directory.read_config(run_dir).options
    saved.require_trained(run_dir)
    directory.require_a_run(config.resolved_student_dir, "--student-dir")
    before_conversion(config.on_images(options))


def before_import(config: ImportConfig) -> None:
    """Of the files and the run, one of which is written."""
    run_dir = pathlib.Path(config.run_dir).expanduser()
    if config.to_reference is not None:
        require_folder("--to-reference", pathlib.Path(config.to_reference).expanduser())
        saved.require_trained(run_dir)
    elif run_dir.exists():
        raise InputError(f"--run-dir {run_dir} exists; choose a new directory.")


def before_page(config: DemoConfig) -> None:
    """Of the address, the model, and what shows the page."""
    try:
        socket.create_server((config.host, config.port)).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--host {config.host} --port {config.port}: cannot listen there ({error})."
        ) from None
    if not config.model.startswith("hf://"):
        require_model(pathlib.Path(config.model).expanduser())
    if importlib.util.find_spec("gradio") is None:
        raise InputError("the page needs gradio; install with pip install '.[demo]'.")


def _require_unfinished(run_dir, epochs):
    if not saved.has_model(run_dir):
        return
    about = saved.read_about(run_dir)
    # Models are written before the checkpoint, by which a run goes on.
    newest = saved.checkpoints(run_dir / saved.CHECKPOINTS)[:1]
    is_whole = any(saved.step_of(path) >= about["step"] for path in newest)
    done = about.get("epochs", 0)
    if is_whole and done >= epochs:
        raise InputError(
            f"--dry-run: {run_dir} is finished, after {done:g} epochs; give more "
            f"--epochs, or --restart."
        )


def _require_weights_of_inception(config):
    given = config.inception_weights
    if given is not None and not pathlib.Path(given).expanduser().is_file():
        raise InputError(f"--inception-weights {given}: no such file.")
