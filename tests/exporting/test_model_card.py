import dataclasses
import json

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from cyclegan_tf.common.files import write_text
from cyclegan_tf.config import ExportConfig, TrainConfig
from cyclegan_tf.config.formats import FORMATS
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.evaluation.evaluator import DirectionScores
from cyclegan_tf.exporting import model_card
from cyclegan_tf.exporting.subject import Comparison, Exported, Subject
from cyclegan_tf.runs import checkpoint
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs.directory import Recorded
from cyclegan_tf.runs.evaluations import record_evaluation
from cyclegan_tf.runs.generators import Trained
from cyclegan_tf.runs.run_dir import RunDir
from tests.helpers import random_pixels, tiny_config, tiny_model

COMPARISONS = [Comparison("a_to_b", 1, 0.00123), Comparison("b_to_a", 0, 0)]
TRAINED = Trained({"a_to_b": None, "b_to_a": None}, 7, "average")
SAVED_MODEL, ONNX, _ = FORMATS
RESULTS = [
    DirectionScores(
        direction=direction,
        scores={"swd": 12.3456, "cycle_mae": 5.0},
        nothing={"swd": 45.6},
        protocol={
            "fakes_from": f"12 images of {name}",
            "compared_with": "20 images",
            "resize": "bicubic",
            "kid_and_fid": {"kid": "all pairs"},
        },
    )
    for direction, name in (("a_to_b", "testA"), ("b_to_a", "testB"))
]


@pytest.fixture
def run_dir(tmp_path):
    """A run directory with options, and with what is said of its generators."""
    recorded = Recorded(tiny_config(tmp_path), "fingerprint")
    run_directory.write_config(tmp_path / "run", recorded)
    write_about(tmp_path / "run")
    return tmp_path / "run"


def write_about(run_dir, **about):
    about |= {"step": 7, "directions": ["a_to_b", "b_to_a"]}
    write_text(run_dir / "model" / "model.json", json.dumps(about))


def card_of(run_dir, folder, domains=Domains(), form=ONNX, **options):  # noqa: B008
    folder.mkdir()
    run = RunDir(run_dir, TrainConfig(**options), "fingerprint", domains, None)
    subject = Subject(run, run, TRAINED, {}, "", None)
    of_versions = {"onnxruntime": "1.2"}
    exported = Exported(form, domains, folder, COMPARISONS, of_versions, {})
    model_card.write_card(folder, exported, subject, ExportConfig())
    return (folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def rows_of(card, heading):
    """The cells of the first table below a heading, by row."""
    below = card.split(f"## {heading}\n")[1]
    lines = [line for line in below.split("\n\n## ")[0].splitlines() if "|" in line]
    return [[c.strip().replace("\\", "") for c in x.split("|")[1:-1]] for x in lines]


def test_card_has_tables_of_scores_differences_and_options(run_dir, tmp_path):
    record_evaluation(run_dir, 7, RESULTS, {"weights": "average"})
    card = card_of(run_dir, tmp_path / "card", filters=5)
    table = rows_of(card, "Scores")
    assert table[0] == ["score", "a_to_b", "untranslated", "b_to_a", "untranslated"]
    assert ["swd", "12.35", "45.60", "12.35", "45.60"] in table
    assert "fakes_from: 12 images of testA" in card.replace("\\", "")
    assert "kid: all pairs" in card
    assert rows_of(card, "Verified")[2] == ["a_to_b", "1", "0.0012"]
    assert ["filters", "5"] in rows_of(card, "Options of the run")
    assert "MIT licence" in card and "trained for\n7 steps" in card
    assert "Its weights are averages over the latest of them." in card
    assert "data_dir" not in card.replace("\\", "")


def test_front_matter_is_what_the_hub_reads(run_dir, tmp_path):
    record_evaluation(run_dir, 7, RESULTS, {"weights": "average"})
    data = ModelCard(card_of(run_dir, tmp_path / "card")).data
    assert (data.library_name, data.pipeline_tag) == ("keras", "image-to-image")
    assert (data.license, data.datasets) == ("mit", ["synthetic/horse2zebra"])
    found = [(x.metric_name, x.metric_value) for x in data.eval_results]
    assert found[:2] == [("swd, a_to_b", 12.3456), ("cycle_mae, a_to_b", 5.0)]
    assert data.eval_results[0].metric_type == "swd" and len(found) == 4
    (run_dir / "scores.json").unlink()
    unscored = card_of(run_dir, tmp_path / "other", dataset="a: [b] # c")
    data = ModelCard(unscored).data
    assert (data.license, data.datasets) == ("unknown", ["a-b-c"])
    assert data.eval_results is None


@pytest.mark.parametrize(
    "scored_on, best",
    [
        (
            [
                ("12 images of testA", "32x32", 1.0),
                ("12 images of testA", "32x32", 2.0),  # of other weights for KID, say
                ("2 images of testA", "32x32", 3.0),
                ("20 images of testA", "64x32", 4.0),
                ("99 images of trainA", "32x32", 5.0),
            ],
            2.0,
        ),
        (
            [
                ("1 image of testA", "32x32", 1.0),
                ("9 images of trainA", "32x32", 2.0),
            ],
            1.0,
        ),
    ],
)
def test_front_matter_has_the_scores_of_most_test_images(
    run_dir, tmp_path, scored_on, best
):
    options = {"image_size": 32}
    for images, size, swd in scored_on:
        about = {"fakes_from": images, "nr": swd}
        about |= {"resize": f"bicubic, antialiased, stretched to {size}"}
        scored = dataclasses.replace(RESULTS[0], scores={"swd": swd}, protocol=about)
        record_evaluation(run_dir, 7, [scored], {"weights": "average"})
    unknown = dataclasses.replace(RESULTS[0], protocol={"nr": 6.0})
    record_evaluation(run_dir, 7, [unknown], {"weights": "average"})
    card = card_of(run_dir, tmp_path / "card", **options)
    assert [x.metric_value for x in ModelCard(card).data.eval_results] == [best]
    # The text has them all, each with what it is of.
    assert card.count("fakes") == len(scored_on)


def test_best_step_has_the_scores_that_made_it_the_best(run_dir, tmp_path):
    entries = [dataclasses.asdict(result) for result in RESULTS]
    best = {"step": 7, "best_by": "swd", "value": 12.3456, "scores": entries}
    checkpoint.save_best(tiny_model(), run_dir / "checkpoints", best)
    assert "12.35" in card_of(run_dir, tmp_path / "card")


def test_scores_of_another_step_or_other_weights_are_not_shown(run_dir, tmp_path):
    record_evaluation(run_dir, 8, RESULTS, {"weights": "average"})
    record_evaluation(run_dir, 7, RESULTS, {"weights": "raw"})
    assert "Not scored." in card_of(run_dir, tmp_path / "card")


def test_newest_samples_are_copied_and_shown(run_dir, tmp_path):
    (run_dir / "samples").mkdir()
    for number in (1, 2):
        path = run_dir / "samples" / f"epoch-000{number}-a.png"
        Image.fromarray(random_pixels(20, 24, seed=number)).save(path)
    card = card_of(run_dir, tmp_path / "card")
    assert "(sample-a.png)" in card and "sample-b.png" not in card
    assert (tmp_path / "card" / "sample-a.png").read_bytes() == path.read_bytes()


def test_card_describes_the_images_of_both_domains(run_dir, tmp_path):
    deep = Domains(Domain(1, "uint16", 0, 4095), Domain())
    card = card_of(run_dir, tmp_path / "deep", deep, SAVED_MODEL)
    assert "`images`, uint16 [N, H, W, 1], grey, 0 to 4095, to" in card
    assert "`translated`, uint8 [N, H, W, 3], RGB, 0 to 255." in card
    assert "`image_bytes`, string [N], PNG of 16 bits of any sizes" in card


def test_card_says_what_is_left_out_of_bands(run_dir, tmp_path):
    (run_dir / "samples").mkdir()
    picture = Image.fromarray(random_pixels(20, 24))
    picture.save(run_dir / "samples" / "epoch-0001-a.png")
    bands = Domains(Domain(5, "float32", -1.5, 2), Domain())
    card = card_of(run_dir, tmp_path / "card", bands, SAVED_MODEL, image_size="32x48")
    assert "float32 [N, H, W, 5], -1.5 to 2" in card
    assert "_bytes" not in card and "No signature takes files' bytes" in card
    assert "Of domain A's 5 channels they show the first three." in card
    assert "crops of 32x48 px (height x width)" in card


def test_hostile_names_stay_text(run_dir, tmp_path):
    card = card_of(run_dir, tmp_path / "card", dataset="x\n# <script>| [y](z)")
    assert "<script" not in card and "\n# <" not in card and "[y](z)" not in card


def test_student_stands_beside_its_teacher(run_dir, tmp_path):
    cost = {"parameters": 70, "milliseconds": 4.2, "scores": {"swd_a_to_b": 40.031}}
    compared = {
        "teacher": cost | {"multiply_adds": 900},
        "student": cost | {"multiply_adds": 50},
    }
    write_about(run_dir, compared=compared)
    table = rows_of(card_of(run_dir, tmp_path / "card"), "Beside its teacher")
    assert table[0] == ["", "teacher", "student", "ratio"]
    assert ["multiply_adds", "900", "50", "0.056"] in table
    assert ["swd_a_to_b", "40.03", "40.03", "1.000"] in table
