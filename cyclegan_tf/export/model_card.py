"""What one must know of an exported model, beside it: text, options, a picture."""

import json
import pathlib
import shutil

import keras

import cyclegan_tf
from cyclegan_tf.common.console import markdown
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config import ExportConfig, TrainConfig
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.export.verify import Exported
from cyclegan_tf.runs.checkpoint import read_best
from cyclegan_tf.runs.generators import CHECKPOINTS, DIRECTIONS

CARD = "MODEL_CARD.md"
OPTIONS = "options.json"
INTERFACE = {
    "savedmodel": """
- `a_to_b`, `b_to_a`: `images`, uint8 [N, H, W, 3], RGB, sides from 16 px on, to
  `translated`, uint8 of the same shape.
- `a_to_b_bytes`, `b_to_a_bytes`: `image_bytes`, string [N], JPEG, PNG or WebP of any
  sizes, to `translated_bytes`, string [N], PNG.
- `serving_default` is the first direction.
""",
    "onnx": """
One file per direction: `images`, uint8 [N, H, W, 3], RGB, sides from 16 px on, to
`translated`, uint8 of the same shape.
""",
}
INTERFACE["litert"] = INTERFACE["onnx"]


def write(
    directory: pathlib.Path,
    file_format: str,
    run_dir: pathlib.Path,
    run_config: TrainConfig,
    export_config: ExportConfig,
    exported: Exported,
    step: int | None,
) -> None:
    """Writes the card and what belongs to it into a version's directory.

    Args:
        directory: of the version; a SavedModel keeps extras in `assets.extra/`.
        file_format: "savedmodel", "onnx" or "litert".
        run_dir: where the model comes from.
        run_config: its options.
        export_config: how it was exported.
        exported: the comparisons.
        step: that the model was trained for, if it is known.
    """
    folder = directory / "assets.extra" if file_format == "savedmodel" else directory
    folder.mkdir(exist_ok=True)
    pictures = _copy_pictures(run_dir / "samples", folder)
    options = run_config.shown()
    write_text(folder / OPTIONS, json.dumps(options, indent=2) + "\n")
    signatures = [row.signature for row in exported.comparisons]
    directions = ", ".join(name for name in signatures if name in DIRECTIONS)
    steps = "an unknown number of" if step is None else step
    rows = "\n".join(
        f"| `{row.signature}` | {row.max_difference} | {row.mean_difference:.4f} |"
        for row in exported.comparisons
    )
    option_rows = "\n".join(
        f"| `{name}` | {markdown(value)} |" for name, value in options.items()
    )
    versions = {"cyclegan_tf": cyclegan_tf.__version__, "keras": keras.__version__}
    text = f"""\
# CycleGAN: {markdown(run_config.dataset_name)}

Unpaired image-to-image translation, {directions}; trained for
{steps} steps on {markdown(run_config.dataset_name)}.
{_licence_note(run_config.dataset)}

## Interface
{INTERFACE[file_format]}
Trained on crops of {run_config.image_size} px; other sizes work, but objects much
larger or smaller than in training may not be recognised.

## Scores

{_scores(run_dir, step)}

## Verified

In {export_config.precision}, beside the Keras model in float32, in grey levels:

| signature | largest difference | mean difference |
|-|-|-|
{rows}

Written by {_listed(versions)}; verified with {_listed(exported.versions)}.
{pictures}
## Options of the run

| option | value |
|-|-|
{option_rows}
"""
    write_text(folder / CARD, text)


def _listed(versions):
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _copy_pictures(samples, folder):
    """Copies the newest panel of each domain; returns Markdown that shows them."""
    shown = []
    for domain in "ab":
        panels = sorted(samples.glob(f"epoch-*-{domain}.png"))
        if panels:
            shutil.copyfile(panels[-1], folder / f"sample-{domain}.png")
            shown.append(f"![From {domain.upper()}](sample-{domain}.png)")
    return "\n" + "\n".join(shown) + "\n" if shown else ""


def _scores(run_dir, step):
    """What is known of the exported step: evaluations, or else why it is the best."""
    scores = [e for e in run_scores.read(run_dir) if e["step"] == step]
    best = read_best(run_dir / CHECKPOINTS)
    if not scores and best.get("step", -1) == step:
        scores = [best]
    return f"```json\n{json.dumps(scores, indent=2)}\n```" if scores else "Not scored."


def _licence_note(dataset):
    if dataset.startswith("synthetic/"):
        return "Its pictures were drawn by cyclegan_tf (MIT licence)."
    if dataset.startswith("cycle_gan/"):
        return (
            "Its pictures come from ImageNet, Flickr, WikiArt, Google Maps, CMP\n"
            "Facades or others, collected by the authors of CycleGAN for research;\n"
            "look up their terms before you use the model commercially."
        )
    return "Whether the model may be passed on depends on the licence of its images."
