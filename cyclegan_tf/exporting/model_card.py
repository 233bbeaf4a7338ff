"""What one must know of an exported model, beside it: a text, and pictures."""

import json
import math
import os
import pathlib
import re
import shutil

import keras
import tensorflow as tf

import cyclegan_tf
from cyclegan_tf.common.console import markdown
from cyclegan_tf.common.files import write_text
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.evaluation import comparison
from cyclegan_tf.evaluation.comparison import Figures
from cyclegan_tf.evaluation.results import DirectionScores, recorded, score_rows
from cyclegan_tf.exporting import verify
from cyclegan_tf.exporting.subject import Exported, Subject
from cyclegan_tf.runs.saved import CHECKPOINTS, has_model, read_about, read_best

CARD = "MODEL_CARD.md"
AVERAGED = " Its weights are averages over the latest of them."


def write_card(
    folder: pathlib.Path, exported: Exported, subject: Subject, config: ExportConfig
) -> None:
    """Writes the card, and copies of the run's newest pictures, to a folder."""
    run, trained, size = subject.run, subject.trained, config.fixed_size
    options, evaluations = run.options, _evaluations(run, trained)
    height, width, *_ = options.frame
    steps = "an unknown number of" if trained.step is None else trained.step
    averaged = AVERAGED if trained.weights == "average" else ""
    sizes = "Sides from 16 px on; what comes out has the size of what went in."
    if size:
        sizes = "Pictures of {}x{} px (height x width), and no others.".format(*size)
    about = read_about(run.path) if has_model(run.path) else {}
    teacher = about.get("compared", {})
    text = f"""\
---
{_front_matter(options, evaluations)}
---

# CycleGAN: {markdown(options.dataset_name)}

Unpaired image-to-image translation, {", ".join(trained.generators)}; trained for
{steps} steps on {markdown(options.dataset_name)}.{averaged}
{_licence(options.dataset_name)[1]}

## Interface

{_interface(exported.form, trained.generators, run.domains, size)}

{sizes} Values outside of the range are clipped.

Trained on crops of {height}x{width} px (height x width); objects much larger or smaller
than in training may not be recognised.

## Scores

{_scores(evaluations)}

{_beside_teacher(teacher)}\
## Verified

In {config.precision}, beside the Keras model in float32, in grey levels, each
1/255 of the range that comes out:

{_table(verify.table(exported.comparisons, "difference"))}
{_beside_float32(exported.compared)}
Written by cyclegan_tf {cyclegan_tf.__version__}, keras {keras.__version__}; verified
with {exported.verified_with}.

{_pictures(run.path / "samples", folder, run.domains)}
## Options of the run

{_table([("option", "value"), *options.shown().items()])}
"""
    write_text(folder / CARD, text)


def _interface(form, directions, domains, size):
    """The inputs and outputs of an export."""
    lines, of_files = [], []
    for direction in directions:
        source, target = domains.of(direction)
        lines.append(
            f"- `{direction}`: `images`, {_pixels(source, size)}, to\n"
            f"  `translated`, {_pixels(target, size)}."
        )
        kind = "PNG of 16 bits" if source.dtype == "uint16" else "JPEG or PNG"
        bits = 16 if target.dtype == "uint16" else 8
        of_files.append(
            f"- `{direction}_bytes`: `image_bytes`, string [N], {kind} of any "
            f"sizes, to\n  `translated_bytes`, string [N], PNG of {bits} bits."
        )
    if not form.is_served:
        return "\n".join(["One file per direction:", "", *lines])
    default = f"- `serving_default` is `{next(iter(directions))}`."
    if domains.are_encodable:
        return "\n".join([*lines, *of_files, default])
    none = "No signature takes files' bytes: neither PNG nor JPEG holds these images."
    return "\n".join([*lines, default, "", none])


def _pixels(domain, size):
    sides = "1, {}, {}".format(*size) if size else "N, H, W"
    kind = {1: ", grey", 3: ", RGB"}.get(domain.channels, "")
    return f"{domain.dtype} [{sides}, {domain.channels}]{kind}, {domain.range_text}"


def _table(lines):
    """A table in Markdown, the first line its head; what stands in cells is text."""
    head, *rows = lines
    lines = [head, ["-"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(markdown, cells))} |" for cells in lines)


def newest_samples(samples: pathlib.Path) -> list[pathlib.Path]:
    """The newest picture of each domain in the samples of a run."""
    found = (sorted(samples.glob(f"epoch-*-{domain}.png"))[-1:] for domain in "ab")
    return [path for newest in found for path in newest]


def _pictures(samples, folder, domains):
    """Copies the newest samples of each domain; returns Markdown that shows them."""
    shown, notes = "", ""
    for path in newest_samples(samples):
        domain = path.stem[-1]
        shutil.copyfile(path, folder / f"sample-{domain}.png")
        shown += f"![From {domain.upper()}](sample-{domain}.png)\n"
        channels = getattr(domains, domain).channels
        if channels not in (1, 3):
            whose = (
                f"Of domain {domain.upper()}'s {channels} channels they show the first"
            )
            notes += f"\n{whose}{' three' if channels > 3 else ''}.\n"
    return shown + notes


def _beside_float32(compared):
    """Size, time and scores of an export in fewer than 32 bits."""
    if not compared:
        return ""
    machine = f"{os.cpu_count()} CPU cores"
    if tf.config.list_physical_devices("GPU"):
        machine += " and a GPU"
    return f"""
Beside float32: megabytes of the files, milliseconds for one image of the training's
size on {machine}, and scores on a few test images:

{_table(comparison.table(compared))}
"""


def _beside_teacher(compared):
    """What a student and its teacher cost, as `model.json` says; of other runs none."""
    if not compared:
        return ""
    figures = {name: recorded(Figures, each) for name, each in compared.items()}
    return f"""\
## Beside its teacher

It learned from a larger model. For an image of the training crop's size, the time on
the machine that it was trained on:

{_table(comparison.table(figures))}

"""


def _evaluations(run, trained) -> list[list[DirectionScores]]:
    """The evaluations of the exported step, or those that made it the best."""
    known = run.scores(trained.step, trained.weights)
    best = read_best(run.path / CHECKPOINTS)
    # It was chosen by the weights that the run scores.
    exported = trained.step, trained.weights
    if not known and (best.get("step", -1), run.options.weights) == exported:
        known = [best]
    return [[recorded(DirectionScores, x) for x in e["scores"]] for e in known]


def _scores(evaluations):
    if not evaluations:
        return "Not scored."
    parts = ["Lower is better, but of ssim and psnr higher."]
    for results in evaluations:
        head = [title for r in results for title in (r.direction, "untranslated")]
        parts.append(_table([["score", *head], *score_rows(results)]))
        parts += [markdown(_in_words(result.protocol)) for result in results]
    return "\n\n".join(parts)


def _in_words(protocol):
    """A protocol, and those within it, as text."""
    return "; ".join(
        _in_words(value) if isinstance(value, dict) else f"{name}: {value}"
        for name, value in protocol.items()
    )


def _front_matter(options, evaluations):
    """What the Hugging Face Hub reads of a card, with one evaluation, as YAML."""
    # Names there have no other characters.
    dataset = re.sub(r"[^\w./-]+", "-", options.dataset_name, flags=re.ASCII)
    values = {
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "license": _licence(options.dataset_name)[0],
        "tags": ["cyclegan", "gan", "unpaired-image-to-image", "tensorflow"],
        "datasets": [dataset],
    }
    scored = _most_telling(evaluations, options.frame)
    metrics = [
        {"type": name, "value": value, "name": f"{name}, {result.direction}"}
        for result in scored
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


def _most_telling(evaluations, frame):
    """The evaluation of most test images at the run's own size; of equals the newest.

    Where there is none of these, that which is nearest to it.
    """

    def worth(results):
        about = results[0].protocol  # of earlier versions it may say less
        found = re.match(r"(\d+) images? of (test)?", about.get("fakes_from", ""))
        own_size = f" {frame.height}x{frame.width}"
        is_own_size = about.get("resize", "").endswith(own_size)
        return bool(found and found[2]), is_own_size, int(found[1]) if found else 0

    return max(filter(None, reversed(evaluations)), key=worth, default=[])


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
