"""Several users of one run at once."""

import concurrent.futures
import signal
import subprocess
import time

import numpy as np
import pytest

from cyclegan_tf.config import EvaluateConfig
from cyclegan_tf.evaluation import scoring
from cyclegan_tf.inference import translator
from cyclegan_tf.runs.directory import Recorded, write_config
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


@pytest.fixture
def run_in_training(tmp_path, tiny_data_dir):
    """The directory of a run that goes on."""
    run_dir = tmp_path / "run"
    options = TINY | {"epochs": 2000, "evaluate_every": 1, "data_dir": tiny_data_dir}
    with subprocess.Popen(
        command("train.py", *flags(options | {"run_dir": run_dir})),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(run_dir / "model" / "model.json", process)
        yield run_dir
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM


def test_run_in_training_is_scored_with_the_step_of_its_models(
    run_in_training, no_weights
):
    scoring.evaluate(EvaluateConfig([str(run_in_training)]))
    (entry,) = read_evaluations(run_in_training)
    rows = {int(row["step"]): row for row in rows_of(run_in_training)}
    assert max(rows) > entry["step"]
    for scores in entry["scores"]:
        written = rows[entry["step"]][f"swd_{scores['direction']}"]
        assert float(written) == pytest.approx(scores["scores"]["swd"], rel=1e-5)
