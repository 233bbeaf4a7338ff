"""Scores of a model on test images whose truth is known."""

import dataclasses

from cyclegan_tf import data
from cyclegan_tf.metrics import coats
from cyclegan_tf.translation import translate


@dataclasses.dataclass(frozen=True)
class TruthScore:
    """One direction, on a paired test set with masks; all in grey levels.

    Attributes:
        direction: "a_to_b" or "b_to_a".
        num_images: test images scored.
        background_error: mean absolute change outside the masks; doing nothing: 0.
        coat_distance: sliced Wasserstein distance of 5x5 patches inside the masks to
            the real coats of the target domain.
        untranslated_coat_distance: the same for doing nothing.
    """

    direction: str
    num_images: int
    background_error: float
    coat_distance: float
    untranslated_coat_distance: float


def score_against_truth(gen_ab, gen_ba, split_a, split_b, size) -> list[TruthScore]:
    """Scores both directions on a paired test set.

    Args:
        gen_ab, gen_ba: the generators.
        split_a, split_b: test splits, image i of both shows the same scene.
        size: side in pixels that images and masks are resized to.

    Returns:
        A score for each direction; nothing where the test set has no masks, or the
        animals are so small that no patch lies inside one.
    """
    masks = data.load_masks(split_a, size)
    if masks is None or not len(coats.patches_inside(masks[..., None], masks)):
        return []
    images_a, images_b = (data.load_images(s, size) for s in (split_a, split_b))
    scores = []
    for direction, generator, images, target in (
        ("a_to_b", gen_ab, images_a, images_b),
        ("b_to_a", gen_ba, images_b, images_a),
    ):
        fakes = translate(generator, images)
        scores.append(
            TruthScore(
                direction,
                len(images),
                coats.background_error(fakes, images, masks),
                coats.coat_distance(fakes, masks, target, masks),
                coats.coat_distance(images, masks, target, masks),
            )
        )
    return scores


def score_table(scores: list[TruthScore]) -> str:
    """The scores as lines of text, beside those of doing nothing."""
    lines = [
        "scores against the truth, in grey levels (lower is better)",
        f"{'':10}{'background changed by':>24}{'distance to real coats':>26}",
        f"{'':10}{'model':>14}{'nothing':>10}{'model':>16}{'nothing':>10}",
    ]
    for score in scores:
        lines.append(
            f"{score.direction:10}{score.background_error:14.2f}{0:10.2f}"
            f"{score.coat_distance:16.2f}{score.untranslated_coat_distance:10.2f}"
        )
    return "\n".join(lines)
