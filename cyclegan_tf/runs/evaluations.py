"""The evaluations of a run, `scores.json`: their reader and writer.

It holds `{"evaluations": [...]}`: of each the step, which checkpoint and weights, and
the scores of each direction, protocol included.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterable
from typing import Any

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import Damaged, InputError
from cyclegan_tf.common.files import read_json, write_json
from cyclegan_tf.common.locks import locked
from cyclegan_tf.data.domain import DIRECTIONS

SCORES_FILE = "scores.json"
SCORES_LOCK = ".scores.lock"
SCORE_ANEW = "delete it, and run evaluate.py to score anew"


def record_evaluation(
    run_dir: pathlib.Path,
    step: int | None,
    results: Iterable[Any],
    about: dict[str, Any],
) -> None:
    """Adds an evaluation to `scores.json`; a damaged one is begun anew.

    It takes the place of an earlier one of the same weights by the same protocol. The
    step of imported models is None, results are `DirectionScores`, one of each
    direction, and `about` has "checkpoint", "weights", and what else is to be known.
    """
    entry = {"step": step, **about, "scores": list(map(dataclasses.asdict, results))}
    path = run_dir / SCORES_FILE
    # The run itself may add its own, and another evaluate.py.
    with locked(run_dir / SCORES_LOCK, f"waiting for others to write {path}"):
        try:
            earlier = read_evaluations(run_dir)
        except InputError as error:
            say(f"{error} It is begun anew.")
            earlier = []
        others = [e for e in earlier if _identity(e) != _identity(entry)]
        write_json(path, {"evaluations": [*others, entry]})


def read_evaluations(run_dir: pathlib.Path) -> list[dict[str, Any]]:
    """The evaluations of a run in their order; `Damaged` if the file is."""
    path = run_dir / SCORES_FILE
    try:
        found = read_json(path, SCORE_ANEW)["evaluations"]
        for evaluation in found:
            # Those from before there were averages do not say of which weights.
            evaluation.setdefault("weights", "raw")
            _identity(evaluation)
            for entry in evaluation["scores"]:
                _require_scores(**entry)
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(
            f"{path} is damaged or of another version ({error!r}); {SCORE_ANEW}."
        ) from None
    return found


def evaluations_of(
    run_dir: pathlib.Path, step: int | None, weights: str
) -> list[dict[str, Any]]:
    """The evaluations of the "average" or "raw" weights of a step."""
    found = read_evaluations(run_dir)
    return [e for e in found if (e["step"], e["weights"]) == (step, weights)]


def _require_scores(direction, scores, nothing, protocol, **_):
    """Raises `TypeError` and the like for what are no scores of a direction."""
    DIRECTIONS[direction]
    for value in (*scores.values(), *nothing.values()):
        math.isfinite(value)
    protocol.items()


def _identity(evaluation):
    protocols = [entry["protocol"] for entry in evaluation["scores"]]
    protocol = json.dumps(protocols, sort_keys=True)
    return evaluation["step"], evaluation["weights"], protocol
