"""What each command does with its options. The docstrings are what `--help` shows.

What needs TensorFlow is imported within, so that `--help` answers at once.
"""

import json
import pathlib
import shlex
import sys

from cyclegan_tf.cli import checks
from cyclegan_tf.common.console import quiet_start, show
from cyclegan_tf.common.kernels import choose_kernels
from cyclegan_tf.config import (
    BuildConfig,
    DemoConfig,
    DistillConfig,
    EvaluateConfig,
    ExportConfig,
    ImportConfig,
    TrainConfig,
    TranslateConfig,
)
from cyclegan_tf.runs.directory import CONFIG, read_config

TRY_IT = """try it:
  saved_model_cli show --dir {directory} --all
  python -c "import numpy as np; {array}"
  saved_model_cli run --dir {directory} --tag_set serve \
--signature_def {direction} --inputs images=in.npy --outdir ."""


# What goes into in.npy: a picture of 8-bit RGB, or zeros of any other form.
PICTURE = (
    "from PIL import Image; "
    "np.save('in.npy', np.array(Image.open('IMAGE').convert('RGB'))[None])"
)
ZEROS = "np.save('in.npy', np.zeros((1, 64, 64, {channels}), '{dtype}'))"


def train(config: TrainConfig) -> None:
    """Trains a CycleGAN on two sets of images without pairs.

        %(prog)s                                      the embedded dataset
        %(prog)s --dataset cycle_gan/horse2zebra      from TFDS
        %(prog)s --dataset photos/                    trainA/ trainB/, or A/ B/
        %(prog)s --domain-a cats/ --domain-b dogs/    two folders
        %(prog)s --run-dir runs/photos                continues that run

    The same command again continues the run, too.
    """
    checks.before_training(config)
    _keep_kernels(config)
    if config.dry_run:
        with quiet_start():
            from cyclegan_tf.training.plan import plan_run, plan_text

        plan = plan_run(config)
        show(json.dumps(plan, indent=2) if config.json else plan_text(plan))
        return
    with quiet_start():
        from cyclegan_tf.training.run import train

    train(config)


def evaluate(config: EvaluateConfig) -> None:
    """Scores runs and exports, beside each other, and says by which protocol.

        %(prog)s                                      the run of the embedded dataset
        %(prog)s runs/NAME --checkpoint best --limit 100
        %(prog)s runs/NAME runs/NAME-small exports/NAME/onnx
        %(prog)s exports/NAME --dataset photos/       on these images
        %(prog)s runs/ONE runs/OTHER --report

    The numbers are added to scores.json in the run's directory.
    """
    checks.before_evaluation(config)
    with quiet_start():
        from cyclegan_tf.evaluation import report, scoring

    show(report.write(config) if config.report else scoring.evaluate(config))


def export(config: ExportConfig) -> None:
    """Exports the generators of a run as verified models that can be served.

        %(prog)s                                      the run of the embedded dataset
        %(prog)s --run-dir runs/NAME --format savedmodel,onnx,litert

    Every export is run in a process of its own and compared with the Keras model on
    held-out images before it is kept.
    """
    checks.before_export(config)
    with quiet_start():
        from cyclegan_tf.exporting import exporter

    for exported in exporter.export_each(config):
        show(exporter.report(exported))
        if exported.form.is_served:
            directory = shlex.quote(str(exported.directory))
            direction = exported.comparisons[0].signature
            source, _ = exported.domains.of(direction)
            is_picture = (source.channels, source.dtype) == (3, "uint8")
            array = PICTURE if is_picture else ZEROS.format_map(vars(source))
            show(TRY_IT.format(array=array, directory=directory, direction=direction))


def translate(config: TranslateConfig) -> None:
    """Translates pictures and videos with a trained model.

        %(prog)s IN OUT                               by the run of the embedded dataset
        %(prog)s --model exports/horse2zebra --direction b_to_a zebras/ horses/

    IN is a picture, a video, a volume, a folder or a quoted glob. Pictures keep their
    size, videos also their rate and sound, and a folder its tree. Files in OUT are not
    replaced: the same command continues one that was stopped. With --tile, memory does
    not grow with a picture's height.
    """
    # TensorFlow is imported where the model needs it, after all that is known before.
    from cyclegan_tf.inference import files, jobs, translator, video, volumes

    request = jobs.find(config.input, config.output)
    scratch_dir = request.folder if config.tile else None
    translate = translator.load(
        config.model, config.direction, config.checkpoint, scratch_dir, config.weights
    )
    planned = jobs.plan_all(request, config.format, translate.target)
    videos = video.video_jobs(planned, translate)
    how = translate, config.batch_size, config.overwrite
    outcome = files.translate_files(planned.pictures, *how)
    volumes.translate_volumes(planned.stacks, *how, outcome)
    video.translate_videos(videos, *how, config.steady, outcome)
    show(str(outcome))
    sys.exit(1 if outcome["failed"] else 0)


def distill(config: DistillConfig) -> None:
    """Trains a small generator on the translations of a trained one.

        %(prog)s --run-dir runs/NAME                  writes runs/NAME-small
        %(prog)s --run-dir runs/NAME --student tiny --epochs 100

    The student is a run like any other: the same command, or train, continues it.
    """
    checks.before_distillation(config)
    with quiet_start():
        from cyclegan_tf.cli.distill import student_options
        from cyclegan_tf.training.run import train

    train(student_options(config))


def demo(config: DemoConfig) -> None:
    """Shows a page in the browser to try a model on; nothing leaves this machine.

        %(prog)s                                      the run of the embedded dataset
        %(prog)s --model exports/horse2zebra --port 8000

    It is seen on this machine only, unless --host says otherwise: then by everybody who
    reaches that address, as it asks nobody who they are.
    """
    checks.before_page(config)
    with quiet_start():
        from cyclegan_tf.demo import page

    page.serve(config)


def build(config: BuildConfig) -> None:
    """Converts a dataset to TFRecord shards, without training on it.

    %(prog)s cycle_gan/horse2zebra
    %(prog)s --domain-a cats/ --domain-b dogs/
    %(prog)s cycle_gan/horse2zebra --check      looks again for what spoils a training
    %(prog)s cycle_gan/horse2zebra --verify     also looks for damage
    """
    checks.before_conversion(config)
    with quiet_start():
        from cyclegan_tf.data.convert import ensure_dataset
        from cyclegan_tf.data.dataset import Dataset

    dataset = Dataset.open(ensure_dataset(config, check_anyway=config.check))
    if config.verify:
        dataset.verify()
    splits = dataset.manifest["splits"]
    counts = ", ".join(f"{name} {split['count']}" for name, split in splits.items())
    show(f"{dataset.directory}: {counts}")


def import_models(config: ImportConfig) -> None:
    """Takes over ResNet generators of PyTorch programs, and gives generators back.

        %(prog)s G_A.pth G_B.pth --run-dir runs/pretrained
        %(prog)s --run-dir runs/mine --to-reference pth/

    The first file is the generator from A to B; the second may be left out. It needs
    PyTorch (pip install '.[torch]'). The first command writes a run directory for
    `train --init-from` and for everything that uses a trained run; the second writes
    `latest_net_G_A.pth` and `latest_net_G_B.pth`, which the authors' program loads.
    """
    from cyclegan_tf.interop import torch_files

    checks.before_import(config)
    run_dir = pathlib.Path(config.run_dir).expanduser()
    paths = [pathlib.Path(name).expanduser() for name in config.models]
    models = [(path, torch_files.read_tensors(path)) for path in paths]
    with quiet_start():
        from cyclegan_tf.interop import convert
    if config.to_reference is None:
        show(str(convert.import_models(models, run_dir, config.dataset)))
    else:
        folder = pathlib.Path(config.to_reference).expanduser()
        state_dicts = convert.export_models(run_dir, config.weights)
        for name, tensors in state_dicts.items():
            torch_files.write_tensors(folder / name, tensors)
            show(str(folder / name))


def _keep_kernels(config):
    """Lets a run that goes on compute with the kernels that it began with."""
    run_dir = config.resolved_run_dir
    if not config.restart and (run_dir / CONFIG).is_file():
        choose_kernels(read_config(run_dir).onednn)
