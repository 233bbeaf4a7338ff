"""The scores of a direction, and what is made of them: means, and lines of text."""

import dataclasses
import itertools
from typing import Any, TypeVar

import numpy as np

# From which domain to which.
DOMAINS = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a")}
Kind = TypeVar("Kind")
BETTER = "lower is better, but of ssim and psnr higher"


@dataclasses.dataclass(frozen=True)
class DirectionScores:
    """The scores of one direction, "a_to_b" or "b_to_a", by name.

    Those of nothing, where there are, are what untranslated images would have; the
    protocol says what was compared with what, and how.
    """

    direction: str
    scores: dict[str, float]
    nothing: dict[str, float]
    protocol: dict[str, Any]


def recorded(kind: type[Kind], content: dict[str, Any]) -> Kind:
    """A dataclass from its `asdict` in a file; what else is there is left out."""
    names = [field.name for field in dataclasses.fields(kind)]
    return kind(**{name: content[name] for name in names if name in content})


def mean_score(results: list[DirectionScores], name: str) -> float:
    """The mean of a score over the directions."""
    return float(np.mean([result.scores[name] for result in results]))


def flat_scores(results: list[DirectionScores]) -> dict[str, float]:
    """All scores by name and direction, such as `swd_a_to_b`."""
    return {
        f"{name}_{result.direction}": value
        for result in results
        for name, value in result.scores.items()
    }


def score_rows(results: list[DirectionScores]) -> list[list[str]]:
    """Of each score its name, and of each direction its value and that of nothing."""
    columns = [values for each in results for values in (each.scores, each.nothing)]
    names = dict.fromkeys(name for each in results for name in each.scores)
    return [
        [name, *(score_text(column.get(name)) for column in columns)] for name in names
    ]


def score_table(results: list[DirectionScores], title: str) -> str:
    """The scores as lines of text, beside those of doing nothing."""
    heads = [["", *itertools.chain(*(("", each.direction) for each in results))]]
    heads += [["", *["model", "nothing"] * len(results)]]
    lines = [f"{title} ({BETTER})"]
    for name, *cells in [*heads, *score_rows(results)]:
        widths = itertools.cycle((12, 10))
        row = f"{name:18}" + "".join(map(str.rjust, cells, widths))
        lines.append(row.rstrip())
    return "\n".join([*lines, *protocol_lines(results)])


def protocol_lines(results: list[DirectionScores]) -> list[str]:
    """What was compared with what, a line for each direction."""
    about = ": {fakes_from} beside {compared_with}, {resize}"
    return [result.direction + about.format(**result.protocol) for result in results]


def protocol_text(results: list[DirectionScores]) -> str:
    """All that has to be the same for the scores to be compared, as lines of text."""
    lines = []
    for result in results:
        lines.append(f"protocol of {result.direction}:")
        features = result.protocol.get("kid_and_fid", "not computed")
        for name, text in (result.protocol | {"kid_and_fid": features}).items():
            details = text.items() if isinstance(text, dict) else [("", text)]
            lines += [f"  {f'{name} {of}'.strip()}: {value}" for of, value in details]
    return "\n".join(lines)


def score_text(value: float | None) -> str:
    """A score with as many digits as say something; of None nothing."""
    if value is None:
        return ""
    return f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:.2f}"
