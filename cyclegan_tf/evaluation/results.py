"""What is scored, what each score is called, and a table of them for the console."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

# From which domain to which.
DOMAINS = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a")}


class Score(NamedTuple):
    """One score of a direction."""

    name: str  # in `scores.json`, `metrics.csv`, tables and charts
    meaning: str  # what it compares, and its unit
    # Besides images: "features" of a network, domains of the same "channels", "pairs"
    # of images, or "masks" of them.
    needs: str | None = None
    is_higher_better: bool = False


SCORES = (
    Score("swd", "texture and colour, beside real images of the target"),
    Score("kid", "Inception features, beside real images of the target", "features"),
    Score("kid_low", "lower end of its 95 % interval", "features"),
    Score("kid_high", "upper end of its 95 % interval", "features"),
    Score("fid", "Inception features, beside real images of the target", "features"),
    Score("cycle_mae", "round trip, mean absolute error in grey levels"),
    Score("cycle_ssim", "round trip, structural similarity", None, True),
    Score(
        "identity_mae", "images of the target domain, error in grey levels", "channels"
    ),
    Score("identity_ssim", "images of the target domain, similarity", "channels", True),
    Score("truth_mae", "to the true image, error in grey levels", "pairs"),
    Score("truth_ssim", "to the true image, similarity", "pairs", True),
    Score("truth_psnr", "to the true image, in decibels", "pairs", True),
    Score("background_error", "change outside the animals, in grey levels", "masks"),
    Score("coat_distance", "coats, beside real ones, in grey levels", "masks"),
)


@dataclasses.dataclass(frozen=True)
class DirectionScores:
    """The scores of one direction.

    Attributes:
        direction: "a_to_b" or "b_to_a".
        scores: of the generator, by name.
        nothing: those that untranslated images would have, by name, where there are.
        swd_levels: SWD by level of the pyramid, the finest first.
        protocol: what was compared with what, and how.
    """

    direction: str
    scores: dict[str, float]
    nothing: dict[str, float]
    swd_levels: list[float]
    protocol: dict[str, Any]

    @classmethod
    def of(cls, recorded: dict[str, Any]) -> "DirectionScores":
        """From a file, which may say more: earlier versions had other columns."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: recorded[name] for name in names})


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


def score_table(results: list[DirectionScores], title: str) -> str:
    """The scores as lines of text, beside those of doing nothing."""
    head = f"{'model':>12}{'nothing':>10}"
    lines = [
        f"{title} (lower is better, but of ssim and psnr higher)",
        f"{'':18}" + "".join(f"{r.direction:>{len(head)}}" for r in results),
        f"{'':18}" + head * len(results),
    ]
    for name in dict.fromkeys(name for result in results for name in result.scores):
        row = f"{name:18}"
        for result in results:
            row += f"{score_text(result.scores.get(name)):>12}"
            row += f"{score_text(result.nothing.get(name)):>10}"
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
