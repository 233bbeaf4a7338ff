"""What comes near to the truth without a model, for comparison."""

from collections.abc import Callable, Iterable

import numpy as np

from cyclegan_tf.evaluation.results import DOMAINS
from cyclegan_tf.evaluation.summaries import Summary
from cyclegan_tf.metrics import histograms


def histogram_errors(
    batches: Callable[[str], Iterable[np.ndarray]], counts: dict[str, int]
) -> dict[str, dict[str, float]]:
    """Errors to the truth of images whose histogram was matched, by direction.

    The values of all images together are mapped, channel by channel, so that they are
    distributed as those of the target: the same mapping for each image and place.

    Args:
        batches: the images of a domain, "a" or "b", in grey levels; images i of both
            domains show the same scene.
        counts: number of images by domain.

    Returns:
        By direction the mean scores, such as "truth_mae".
    """
    pools = {
        domain: _pooled_values(batches(domain), count)
        for domain, count in counts.items()
    }
    scores = {}
    for direction, (source, target) in DOMAINS.items():
        mapping = histograms.value_mapping(pools[source], pools[target])
        summary = Summary(patches_per_image=0, network=None)
        for images, truths in zip(batches(source), batches(target), strict=True):
            summary.compare("truth", histograms.mapped(images, mapping), truths)
        scores[direction] = summary.mean_errors()
    return scores


def _pooled_values(batches, num_images):
    per_image = max(1, histograms.MAX_VALUES // num_images)
    pools, count = [], 0
    for images in batches:
        pools.append(histograms.pooled_values(images, per_image, count))
        count += len(images)
    return np.concatenate(pools)
