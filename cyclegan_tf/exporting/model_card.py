"""What one must know of an exported model, beside it: a text, and pictures."""

import pathlib
import shutil
from typing import Any

import keras

import cyclegan_tf
from cyclegan_tf.common.console import markdown
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config import TrainConfig
from cyclegan_tf.evaluation import scores as run_scores
from cyclegan_tf.evaluation.results import DirectionScores, score_text
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.exporting.verify import Comparison
from cyclegan_tf.runs.checkpoint import read_best
from cyclegan_tf.runs.generators import CHECKPOINTS, DIRECTIONS

CARD = "MODEL_CARD.md"


def write(
    folder: pathlib.Path,
    form: Format,
    run_dir: pathlib.Path,
    config: TrainConfig,
    comparisons: list[Comparison],
    about: dict[str, Any],
) -> None:
    """Writes the card, and copies of the run's newest pictures, to a folder.

    `about` has "precision", "step" that the model was trained for, or None, "weights",
    "average" or "raw", and "versions" of what the export was verified with.
    """
    signatures = [signature for signature, *_ in comparisons]
    directions = [name for name in signatures if name in DIRECTIONS]
    steps = "an unknown number of" if about["step"] is None else about["step"]
    is_average = about["weights"] == "average"
    averaged = " Its weights are averages over the latest of them." * is_average
    differences = [(name, high, f"{mean:.4f}") for name, high, mean in comparisons]
    text = f"""\
# CycleGAN: {markdown(config.dataset_name)}

Unpaired image-to-image translation, {", ".join(directions)}; trained for
{steps} steps on {markdown(config.dataset_name)}.{averaged}
{_licence_note(config.dataset)}

## Interface

{form.interface}

Trained on crops of {config.image_size} px; other sizes work, but objects much
larger or smaller than in training may not be recognised.

## Scores

{_scores(run_dir, about, config)}

## Verified

In {about["precision"]}, beside the Keras model in float32, in grey levels:

{_table(("signature", "largest difference", "mean difference"), differences)}

Written by cyclegan_tf {cyclegan_tf.__version__}, keras {keras.__version__}; verified
with {", ".join(f"{name} {version}" for name, version in about["versions"].items())}.

{_copy_pictures(run_dir / "samples", folder)}
## Options of the run

{_table(("option", "value"), config.shown().items())}
"""
    write_text(folder / CARD, text)


def _table(head, rows):
    """A table in Markdown; what stands in its cells is plain text."""
    lines = [head, ["-"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(markdown, cells))} |" for cells in lines)


def _copy_pictures(samples, folder):
    """Copies the newest samples of each domain; returns Markdown that shows them."""
    shown = ""
    for domain in "ab":
        for path in sorted(samples.glob(f"epoch-*-{domain}.png"))[-1:]:
            shutil.copyfile(path, folder / f"sample-{domain}.png")
            shown += f"![From {domain.upper()}](sample-{domain}.png)\n"
    return shown


def _scores(run_dir, about, config):
    """The evaluations of the exported step, or those that made it the best."""
    step, weights = about["step"], about["weights"]
    known = run_scores.read_of(run_dir, step, weights)
    best = read_best(run_dir / CHECKPOINTS)
    # It was chosen by the weights that the run scores.
    if not known and (best.get("step", -1), config.weights) == (step, weights):
        known = [best]
    if not known:
        return "Not scored."
    parts = ["Lower is better, but of ssim and psnr higher."]
    for evaluation in known:
        results = [DirectionScores(**scores) for scores in evaluation["scores"]]
        names = dict.fromkeys(name for result in results for name in result.scores)
        columns = [values for r in results for values in (r.scores, r.nothing)]
        head = [title for r in results for title in (r.direction, "untranslated")]
        rows = [[name, *(score_text(c.get(name)) for c in columns)] for name in names]
        parts.append(_table(["score", *head], rows))
        parts += [markdown(_in_words(result.protocol)) for result in results]
    return "\n\n".join(parts)


def _in_words(protocol):
    """A protocol, and those within it, as text."""
    return "; ".join(
        _in_words(value) if isinstance(value, dict) else f"{name}: {value}"
        for name, value in protocol.items()
    )


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
