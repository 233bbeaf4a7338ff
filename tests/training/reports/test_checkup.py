import types

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.data import drawing
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation.results import DirectionScores
from cyclegan_tf.training.reports.checkup import Checkup
from cyclegan_tf.training.reports.event_log import EventLog
from cyclegan_tf.training.reports.record import Record
from tests.helpers import tiny_model

LOSSES = {"D_A": 0.0, "G_B": 1.0, "D_B": 0.2, "G_A": 0.3}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture
def checkup(tmp_path, model):
    """That of a run of 9000 steps."""
    run = types.SimpleNamespace(
        config=TrainConfig(), domains=Domains(), model=model, num_steps=9000
    )
    images = [
        np.stack([drawing.draw((0, i), coat, 64)[0][::4, ::4] for i in range(4)])
        for coat in ("brown", "striped")
    ]
    log = EventLog(tmp_path)
    yield Checkup(run, images, log)
    log.close()


@pytest.fixture
def said(checkup, capsys):
    """What is said of an epoch that ends at a step."""

    def examine(step, waited=0.5, results=()):
        record = Record(step, LOSSES, 1e-3, 1.0, waited, {}, list(results))
        checkup.examine(record)
        return capsys.readouterr().err

    return examine


def texts(directory):
    return [
        (event.step, value.tag, value.tensor.string_val[0])
        for path in directory.glob("events*")
        for record in tf.data.TFRecordDataset(str(path))
        for event in [tf.compat.v1.Event.FromString(record.numpy())]
        for value in event.summary.value
    ]


def test_findings_are_said_and_written_and_then_said_shortly(said, checkup, tmp_path):
    first = said(500)
    assert "doctor: 50% of the time went into waiting" in first
    assert "D_A has won" not in first  # one epoch proves nothing
    second = said(1000)
    assert "doctor: D_A has won: for 2 epochs its loss is below 0.02" in second
    assert "D_B" not in second
    assert "waiting" not in second and "doctor: still " in second
    third = said(1500)
    assert third.count("\n") == 1 and "D_A has won" in third
    assert "starved input" in third
    checkup.log.flush()
    written = texts(tmp_path)
    assert [(step, tag) for step, tag, _ in written] == [
        (step, "doctor") for step in (500, 1000, 1500)
    ]
    assert b"- 50% of the time" in written[2][2] and b"--cache memory" in written[2][2]


def test_finding_that_came_back_is_said_at_length_again(said):
    told = [said(500, waited=0.5), said(1000, waited=0.0), said(1500, waited=0.5)]
    assert ["of the time went into" in text for text in told] == [True, False, True]


def test_short_epochs_are_not_all_examined(said):
    assert [bool(said(step)) for step in (499, 500, 900, 1000)] == [0, 1, 0, 1]


def test_short_epochs_are_all_counted(said, checkup):
    won = dict(LOSSES)
    told = [said(100 * epoch) for epoch in range(1, 11)]
    assert "D_A has won: for 5 epochs" in told[4]
    assert "still" in told[9] and "D_A has won" in told[9]
    checkup.losses[-1] = won | {"D_A": 0.2}
    told = [said(100 * epoch) for epoch in range(11, 16)]
    assert "D_A has won" in told[4]  # in all five since
    for epoch in range(16, 21):
        text = said(100 * epoch)
        checkup.losses[-1] = won | {"D_A": 0.2 * (epoch == 18)}
    assert "D_A" not in text


def test_checkup_changes_no_variable_and_no_random_state(said, model):
    def random_numbers():
        return np.random.random(), tf.random.uniform(()).numpy()

    def seed():
        np.random.seed(3)
        tf.random.set_seed(3)

    before = [variable.numpy() for variable in model.variables]
    seed()
    expected = random_numbers()
    seed()
    said(500)
    assert random_numbers() == expected
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_scores_worse_than_those_of_untranslated_images_are_told(said):
    results = [
        DirectionScores(direction, {"swd": swd}, {"swd": 100.0}, {})
        for direction, swd in (("a_to_b", 200.0), ("b_to_a", 50.0))
    ]
    told = [said(step, results=results) for step in (500, 1000, 1500)]
    assert "untranslated" not in told[0] + told[1]
    assert "A to B is worse than untranslated images (swd 200 against 100)" in told[2]
    assert "B to A is worse" not in told[2]
