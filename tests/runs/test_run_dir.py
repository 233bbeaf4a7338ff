"""Opening a run: its options, models and images, whatever became of the latter."""

import shutil

import numpy as np
import pytest

from cyclegan_tf.common.checksums import file_digest
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import EvaluateConfig, ExportConfig
from cyclegan_tf.data.convert import ensure_dataset
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation import scoring
from cyclegan_tf.exporting.exporter import export
from cyclegan_tf.runs.evaluations import evaluations_of
from cyclegan_tf.runs.generators import load_generators
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.training.prepare import open_dataset
from tests.helpers import tiny_config, tiny_model, write_images, write_run


@pytest.fixture(scope="module")
def generators():
    return tiny_model().generators


@pytest.fixture
def run_dir(tmp_path, generators):
    """A run on a folder of images; its models are not trained."""
    for name in ("trainA", "trainB", "testA", "testB"):
        write_images(tmp_path / "photos" / name, 2)
    config = tiny_config(tmp_path, dataset=str(tmp_path / "photos"))
    return write_run(config, generators, step=0)


def state_of(folder):
    return {p: file_digest(p) for p in folder.rglob("*") if p.suffix == ".tfrecord"}


def test_open_run_knows_its_options_models_and_images(scored_run):
    run = RunDir.open(str(scored_run))
    assert (run.options.filters, run.domains) == (2, Domains())
    trained = run.generators()
    assert list(trained.generators) == ["a_to_b", "b_to_a"]
    assert (trained.step, trained.weights) == (12, "average")
    assert len(evaluations_of(scored_run, 12, "average")) == 1
    assert not evaluations_of(scored_run, 12, "raw")
    assert run.dataset is run.dataset  # opened once
    sizes = {name: len(split) for name, split in run.images("train").items()}
    assert sizes == {"a": 12, "b": 12}


def test_run_stopped_in_its_first_epoch_is_used_by_its_checkpoint(scored_run, tmp_path):
    path = tmp_path / "stopped"
    shutil.copytree(scored_run, path)
    images = np.zeros((1, 16, 16, 3), np.float32)
    expected = {x: g(images) for x, g in load_generators(path).items()}
    shutil.rmtree(path / "model")
    problem = "Until then evaluate, .* and demo take --checkpoint 12, 8, 4[.]"
    with pytest.raises(InputError, match=problem):
        load_generators(path)
    with pytest.raises(InputError, match="no such checkpoint .*; there are best, 12,"):
        load_generators(path, "7")
    found = {x: g(images) for x, g in load_generators(path, "12").items()}
    assert found.keys() == expected.keys()
    assert all((found[x] == expected[x]).numpy().all() for x in found)
    config = ExportConfig(run_dir=str(path), output=str(tmp_path), checkpoint="12")
    (exported,) = export(config)
    cards = list(exported.directory.rglob("*.md"))
    assert ["12 steps" in card.read_text(encoding="utf-8") for card in cards] == [True]


def test_generators_are_copied_while_they_are_being_replaced(run_dir, tmp_path):
    expected = file_digest(run_dir / "model" / "generators.npz")
    (run_dir / "model").rename(run_dir / ".earlier-model")
    RunDir.open(run_dir).copy_generators(tmp_path / "copy")
    assert file_digest(tmp_path / "copy" / "model" / "generators.npz") == expected


def test_scoring_after_the_folder_has_changed_is_on_the_images_of_the_run(
    run_dir, tmp_path, no_weights
):
    before = state_of(tmp_path / "tfrecords")
    write_images(tmp_path / "photos" / "testA", 4)
    scoring.evaluate(EvaluateConfig([str(run_dir)]))
    assert state_of(tmp_path / "tfrecords") == before
    [evaluation] = evaluations_of(run_dir, 0, "raw")
    assert evaluation["scores"][0]["protocol"]["fakes_from"] == "2 images of testA"


def test_images_that_were_never_converted_here_are_converted_by_scoring_alone(
    run_dir, tmp_path
):
    shutil.rmtree(tmp_path / "tfrecords")
    problem = r"has not the images that .*run was trained on; convert them"
    with pytest.raises(InputError, match=problem):
        RunDir.open(run_dir).images("test")
    assert not (tmp_path / "tfrecords").exists()
    run = RunDir.open(run_dir)
    run.convert_if_never()
    assert len(run.images("test")["a"]) == 2


def test_other_images_under_the_name_are_left_and_refused(run_dir, tmp_path):
    shutil.rmtree(tmp_path / "tfrecords")
    write_images(tmp_path / "photos" / "testA", 4)
    ensure_dataset(RunDir.open(run_dir).options)
    before = state_of(tmp_path / "tfrecords")
    run = RunDir.open(run_dir)
    run.convert_if_never()
    with pytest.raises(InputError, match="holds other images than those that"):
        run.images("test")
    assert state_of(tmp_path / "tfrecords") == before


def test_images_elsewhere_are_those_of_the_run(run_dir, tmp_path):
    shutil.move(tmp_path / "tfrecords", tmp_path / "moved")
    images = RunDir.open(run_dir, data_dir=tmp_path / "moved").images("train")
    assert len(images["b"]) == 2


def test_resumed_run_keeps_its_images_and_says_that_the_folder_has_changed(
    run_dir, tmp_path, capsys
):
    run = RunDir.open(run_dir)
    dataset = open_dataset(run.options, run)
    assert dataset.fingerprint == run.fingerprint
    assert "has changed" not in capsys.readouterr().err
    write_images(tmp_path / "photos" / "trainA", 3)
    dataset = open_dataset(run.options, run)
    assert dataset.fingerprint == run.fingerprint
    said = "photos has changed: the run goes on with the images that it began with"
    assert said in capsys.readouterr().err
    assert open_dataset(run.options, None).fingerprint != run.fingerprint
