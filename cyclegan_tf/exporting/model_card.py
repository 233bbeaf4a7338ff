"""What one must know of an exported model, beside it: a text, and pictures."""

import json
import math
import os
import pathlib
import re
import shutil
from typing import Any

import keras
import tensorflow as tf

import cyclegan_tf
from cyclegan_tf.common.console import markdown
from cyclegan_tf.common.files import write_text
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.evaluation.comparison import Figures
from cyclegan_tf.evaluation.results import DirectionScores, score_rows
from cyclegan_tf.exporting.formats.format import Format
from cyclegan_tf.runs.generators import Trained
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.runs.saved import CHECKPOINTS, DIRECTIONS, read_best

CARD = "MODEL_CARD.md"
AVERAGED = " Its weights are averages over the latest of them."


def write_card(
    folder: pathlib.Path,
    form: Format,
    run: RunDir,
    trained: Trained,
    about: dict[str, Any],
) -> None:
    """Writes the card, and copies of the run's newest pictures, to a folder.

    Args:
        folder: gets them.
        form: of the export.
        run: that it is of.
        trained: the generators, their step and weights.
        about: "precision", the fixed "size" or None, "versions" of what verified it,
            "comparisons" of `verify.verify`, "beside_float32", figures by precision,
            or none, and of a student "beside_teacher", what its `model.json` says.
    """
    comparisons, step = about["comparisons"], trained.step
    directions = [name for name, *_ in comparisons if name in DIRECTIONS]
    steps = "an unknown number of" if step is None else step
    config, height, width = run.options, *run.options.frame[:2]
    averaged = AVERAGED if trained.weights == "average" else ""
    differences = [(n, f"{high:.3g}", f"{mean:.4f}") for n, high, mean in comparisons]
    evaluations = _evaluations(run, step, trained.weights)
    text = f"""\
---
{_front_matter(config, evaluations)}
---

# CycleGAN: {markdown(config.dataset_name)}

Unpaired image-to-image translation, {", ".join(directions)}; trained for
{steps} steps on {markdown(config.dataset_name)}.{averaged}
{_licence(config.dataset_name)[1]}

## Interface

{form.interface(directions, run.domains, about["size"])}

{_sizes(about["size"])} Values outside of the range are clipped.

Trained on crops of {height}x{width} px (height x width); objects much larger or smaller
than in training may not be recognised.

## Scores

{_scores(evaluations)}

{_beside_teacher(about["beside_teacher"])}\
## Verified

In {about["precision"]}, beside the Keras model in float32, in grey levels, each
1/255 of the range that comes out:

{_table(("signature", "largest difference", "mean difference"), differences)}
{_beside_float32(about["beside_float32"])}
Written by cyclegan_tf {cyclegan_tf.__version__}, keras {keras.__version__}; verified
with {", ".join(f"{name} {version}" for name, version in about["versions"].items())}.

{_copy_pictures(run.path / "samples", folder, run.domains)}
## Options of the run

{_table(("option", "value"), config.shown().items())}
"""
    write_text(folder / CARD, text)


def _sizes(size):
    """Which pictures are taken; `size` is the height and width of the only ones."""
    if size:
        return f"Pictures of {size[0]}x{size[1]} px (height x width), and no others."
    return "Sides from 16 px on; what comes out has the size of what went in."


def _table(head, rows):
    """A table in Markdown; what stands in its cells is plain text."""
    lines = [head, ["-"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(markdown, cells))} |" for cells in lines)


def newest_samples(samples: pathlib.Path) -> list[pathlib.Path]:
    """The newest picture of each domain in the samples of a run."""
    found = (sorted(samples.glob(f"epoch-*-{domain}.png"))[-1:] for domain in "ab")
    return [path for newest in found for path in newest]


def _copy_pictures(samples, folder, domains):
    """Copies the newest samples of each domain; returns Markdown that shows them."""
    shown = ""
    for path in newest_samples(samples):
        domain = path.stem[-1]
        shutil.copyfile(path, folder / f"sample-{domain}.png")
        shown += f"![From {domain.upper()}](sample-{domain}.png)\n"
    if shown:
        shown += "".join(map(_note_on_bands, "AB", domains))
    return shown


def _note_on_bands(name, domain):
    """Which channels are seen of images that have neither one nor three."""
    if domain.channels in (1, 3):
        return ""
    which = "the first three" if domain.channels > 3 else "the first"
    return f"\nOf domain {name}'s {domain.channels} channels they show {which}.\n"


def _beside_float32(compared):
    """Size, time and scores of an export in fewer than 32 bits."""
    if not compared:
        return ""
    head, *lines = comparison.table(compared)
    machine = f"{os.cpu_count()} CPU cores"
    if tf.config.list_physical_devices("GPU"):
        machine += " and a GPU"
    return f"""
Beside float32: megabytes of the files, milliseconds for one image of the training's
size on {machine}, and scores on a few test images:

{_table(head, lines)}
"""


def _evaluations(run, step, weights) -> list[list[DirectionScores]]:
    """The evaluations of the exported step, or those that made it the best."""
    known = run.scores(step, weights)
    best = read_best(run.path / CHECKPOINTS)
    # It was chosen by the weights that the run scores.
    if not known and (best.get("step", -1), run.options.weights) == (step, weights):
        known = [best]
    return [[DirectionScores.of(scores) for scores in e["scores"]] for e in known]


def _front_matter(config, evaluations):
    """What the Hugging Face Hub reads of a card, of the newest scores, as YAML."""
    # Names there have no other characters.
    dataset = re.sub(r"[^\w./-]+", "-", config.dataset_name, flags=re.ASCII)
    licence, _ = _licence(config.dataset_name)
    values = {
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "license": licence,
        "tags": ["cyclegan", "gan", "unpaired-image-to-image", "tensorflow"],
        "datasets": [dataset],
    }
    metrics = [
        {"type": name, "value": value, "name": f"{name}, {result.direction}"}
        for results in evaluations[-1:]
        for result in results
        for name, value in result.scores.items()
        if math.isfinite(value)
    ]
    if metrics:
        result = {
            "task": {"type": values["pipeline_tag"]},
            "dataset": {"type": dataset, "name": dataset},
            "metrics": metrics,
        }
        name = f"CycleGAN-{dataset.replace('/', '-')}"
        values["model-index"] = [{"name": name, "results": [result]}]
    # JSON is YAML.
    return "\n".join(f"{key}: {json.dumps(value)}" for key, value in values.items())


def _scores(evaluations):
    if not evaluations:
        return "Not scored."
    parts = ["Lower is better, but of ssim and psnr higher."]
    for results in evaluations:
        head = [title for r in results for title in (r.direction, "untranslated")]
        parts.append(_table(["score", *head], score_rows(results)))
        parts += [markdown(_in_words(result.protocol)) for result in results]
    return "\n\n".join(parts)


def _in_words(protocol):
    """A protocol, and those within it, as text."""
    return "; ".join(
        _in_words(value) if isinstance(value, dict) else f"{name}: {value}"
        for name, value in protocol.items()
    )


def _beside_teacher(compared):
    """What a student and its teacher cost; of any other run nothing."""
    if not compared:
        return ""
    figures = {name: Figures.of(content) for name, content in compared.items()}
    head, *lines = comparison.table(figures)
    return f"""\
## Beside its teacher

It learned from a larger model. For an image of the training crop's size, the time on
the machine that it was trained on:

{_table(head, lines)}

"""


def _licence(dataset):
    """The Hub's word for the terms of a model, and these in words."""
    if dataset.startswith("synthetic/"):
        return "mit", "Its pictures were drawn by cyclegan_tf (MIT licence)."
    if dataset.startswith("cycle_gan/"):
        return "other", (
            "Its pictures come from ImageNet, Flickr, WikiArt, Google Maps, CMP\n"
            "Facades or others, collected by the authors of CycleGAN for research;\n"
            "look up their terms before you use the model commercially."
        )
    return "unknown", (
        "Whether the model may be passed on depends on the licence of its images."
    )
