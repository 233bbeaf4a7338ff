"""Several users of one run at once."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from cyclegan_tf.common import checksums
from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.data.dataset import Dataset, find_dataset
from cyclegan_tf.evaluation import scoring
from cyclegan_tf.inference import translator
from cyclegan_tf.runs import saved
from cyclegan_tf.runs.directory import Recorded, near_runs, write_config
from cyclegan_tf.runs.evaluations import read_evaluations
from cyclegan_tf.runs.generators import save_generators
from cyclegan_tf.runs.run_dir import RunDir
from tests.helpers import (
    TINY,
    command,
    flags,
    random_pixels,
    rows_of,
    tiny_config,
    tiny_model,
    wait_for,
    wait_until,
)


def test_models_that_are_being_replaced_are_loaded_from_one_step(tmp_path):
    write_config(tmp_path, Recorded(tiny_config(tmp_path), None))
    model = tiny_model()

    def save(step):
        for generator in model.generators.values():
            generator.set_weights([0 * x + step for x in generator.get_weights()])
        save_generators(tmp_path, model.generators, {"step": step})

    def save_all():
        for step in range(2, 9):
            time.sleep(step % 4 / 8)
            save(step)

    save(1)
    picture = random_pixels(16, 16)
    translate = translator.load(tmp_path)
    before, steps = translate(picture), []
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        writing = threads.submit(save_all)
        while not steps or steps[-1] < 8:
            loaded, step, _ = RunDir.open(tmp_path).generators()
            for generator in loaded.values():
                values = {float(x) for w in generator.get_weights() for x in w.flat}
                assert values == {step}
            steps.append(step)
            if writing.done():
                writing.result()
    assert steps == sorted(steps)
    # What was loaded does not change.
    np.testing.assert_array_equal(translate(picture), before)


def test_folders_are_looked_through_while_others_replace_theirs(
    tmp_path, tiny_data_dir
):
    data_dir = shutil.copytree(tiny_data_dir, tmp_path / "tfrecords")
    fingerprint = Dataset.open(data_dir / "synthetic/horse2zebra").fingerprint
    config = tiny_config(tmp_path, data_dir=str(data_dir))
    places = [data_dir / "more" / "other", data_dir / "more" / "another"]
    (places[0] / "parts" / "of").mkdir(parents=True)
    is_over = threading.Event()

    def rename():
        while not is_over.is_set():
            os.rename(*places)
            places.reverse()

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        renaming = threads.submit(rename)
        try:
            for _ in range(500):
                checksums.require_no_links(data_dir / "more")
                assert find_dataset(config, fingerprint)
                assert not near_runs(data_dir / "horse")
        finally:
            is_over.set()
        renaming.result()


@pytest.mark.parametrize("name", ["model", ".earlier-model"])
def test_model_that_is_just_replaced_is_looked_for_again(tmp_path, monkeypatch, name):
    def current(path):
        """As it is when the folder is renamed between two looks."""
        monkeypatch.undo()
        return path.with_name("gone")

    (tmp_path / name).mkdir()
    (tmp_path / name / "model.json").write_text('{"directions": ["a_to_b"]}')
    for ask in (saved.has_model, saved.read_about):
        monkeypatch.setattr(saved, "current", current)
        assert ask(tmp_path)


@pytest.fixture
def run_in_training(tmp_path, tiny_data_dir):
    """The directory of a run that goes on, and its process."""
    run_dir = tmp_path / "run"
    options = TINY | {"epochs": 2000, "evaluate_every": 1, "data_dir": tiny_data_dir}
    with subprocess.Popen(
        command("train.py", *flags(options | {"run_dir": run_dir})),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(run_dir / "model" / "model.json", process)
        yield run_dir, process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM


def test_run_in_training_is_scored_with_the_step_of_its_models(
    run_in_training, no_weights
):
    run_dir, process = run_in_training
    scoring.evaluate(EvaluateConfig([str(run_dir)]))
    (entry,) = read_evaluations(run_dir)
    rows = {int(row["step"]): row for row in rows_of(run_dir)}
    wait_until(lambda: int(rows_of(run_dir)[-1]["step"]) > entry["step"], process)
    for scores in entry["scores"]:
        written = rows[entry["step"]][f"swd_{scores['direction']}"]
        assert float(written) == pytest.approx(scores["scores"]["swd"], rel=1e-5)
