import types

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data import drawing
from cyclegan_tf.data.domain import Domains
from cyclegan_tf.evaluation.results import DirectionScores
from cyclegan_tf.training import doctor
from cyclegan_tf.training import run as training
from cyclegan_tf.training.callbacks.doctor import Doctor
from cyclegan_tf.training.event_log import EventLog
from tests.helpers import tiny_model


class FakeThroughput:
    input_wait = 0.5


@pytest.fixture
def checks(tmp_path):
    """The doctor of a small model, and where it writes."""
    images = [
        np.stack([drawing.draw((0, i), coat, 64).image[::4, ::4] for i in range(4)])
        for coat in ("brown", "striped")
    ]
    log = EventLog(tmp_path)
    checks = Doctor(*images, Domains(), FakeThroughput(), log)
    checks.set_model(tiny_model())
    yield checks
    log.close()


LOGS = {"D_A": 0.0, "G_B": 1.0, "D_B": 0.2, "G_A": 0.3}


def said(checks, capsys, step):
    checks.step = step
    checks.on_epoch_end(0, LOGS)
    return capsys.readouterr().err


def texts(directory):
    events = []
    for path in directory.glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                events.append((event.step, value.tag, value.tensor.string_val[0]))
    return events


def test_findings_are_said_and_written_and_then_said_shortly(checks, capsys, tmp_path):
    first = said(checks, capsys, 500)
    assert "doctor: 50% of the time went into waiting" in first
    assert "D_A has won" not in first  # one epoch proves nothing
    second = said(checks, capsys, 1000)
    assert "doctor: D_A has won: its loss is 0.000" in second
    assert "D_B" not in second
    assert "waiting" not in second and "doctor: still " in second
    third = said(checks, capsys, 1500)
    assert third.count("\n") == 1 and "D_A has won, starved input" in third
    checks.log.flush()
    written = texts(tmp_path)
    assert [(step, tag) for step, tag, _ in written] == [
        (step, "doctor") for step in (500, 1000, 1500)
    ]
    assert b"- 50% of the time" in written[2][2] and b"--cache memory" in written[2][2]


def test_finding_that_came_back_is_said_at_length_again(checks, capsys):
    finding = doctor.starved_input(0.5)
    for findings in ([finding], [None], [finding]):
        checks.tell(findings, 1)
    assert capsys.readouterr().err.count("of the time went into waiting") == 2


def test_short_epochs_are_not_all_examined(checks, capsys):
    assert not said(checks, capsys, 499)
    assert said(checks, capsys, 500)
    assert not said(checks, capsys, 900)
    assert said(checks, capsys, 1000)


def test_doctor_changes_no_variable_and_no_random_state(checks, capsys):
    model = checks.model
    before = [variable.numpy() for variable in model.variables]
    np.random.seed(3)
    tf.random.set_seed(3)
    expected = np.random.random(), tf.random.uniform(()).numpy()
    np.random.seed(3)
    tf.random.set_seed(3)
    said(checks, capsys, 500)
    assert (np.random.random(), tf.random.uniform(()).numpy()) == expected
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_domain_with_few_images_is_said_at_the_start(tiny_run, capsys):
    training.train(tiny_run(epochs=1))
    lines = capsys.readouterr().err.splitlines()
    found = [i for i, line in enumerate(lines) if "12 training images" in line]
    assert len(found) == 2
    assert found[-1] < next(i for i, x in enumerate(lines) if x.startswith("epoch 1/"))


def test_scores_worse_than_those_of_untranslated_images_are_told(checks, capsys):
    results = [
        DirectionScores(direction, {"swd": swd}, {"swd": 100.0}, [], {})
        for direction, swd in (("a_to_b", 200.0), ("b_to_a", 50.0))
    ]
    checks.scores = types.SimpleNamespace(results=results, best_by="swd")
    checks.last_step = 9000
    told = [said(checks, capsys, step) for step in (500, 1000, 1500)]
    assert "untranslated" not in told[0] + told[1]
    assert "A to B is worse than untranslated images (swd 200 against 100)" in told[2]
    assert "B to A is worse" not in told[2]
