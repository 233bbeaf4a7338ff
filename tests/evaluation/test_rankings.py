import numpy as np

from cyclegan_tf.evaluation import pictures
from cyclegan_tf.evaluation.rankings import Ranking
from cyclegan_tf.evaluation.scores import Batch


def test_best_and_worst_are_those_with_the_smallest_and_largest_error():
    # Errors 5, 0, 3, 9, 1, 9, 2 in batches of unequal sizes.
    errors = np.array([5, 0, 3, 9, 1, 9, 2], np.uint8)
    reals = np.zeros((7, 16, 16, 3), np.uint8)
    cycled = reals + errors[:, None, None, None]
    ranking = Ranking("cycle")
    for part in (slice(0, 1), slice(1, 6), slice(6, 7)):
        ranking.add(Batch(reals[part], reals[part] + 1, cycled[part]))
    found = [[(x.index, x.error) for x in y] for y in (ranking.best, ranking.worst)]
    assert found == [[(1, 0), (4, 1), (6, 2)], [(5, 9), (3, 9), (0, 5)]]
    # Each with what became of it, and with a map of its own error.
    shown = ranking.worst[0].pictures
    assert list(shown) == ["real", "fake", "cycled", "error"]
    for caption, value in (("real", 0), ("fake", 1), ("cycled", 9)):
        assert (shown[caption] == value).all()
    expected = pictures.error_map(np.full((16, 16), 9.0))
    np.testing.assert_array_equal(shown["error"], expected)


def test_few_images_are_not_shown_twice():
    images = np.zeros((4, 16, 16, 3), np.uint8)
    ranking = Ranking("truth")
    ranking.add(Batch(images, images, None, images))
    assert (len(ranking.best), len(ranking.worst)) == (3, 1)
    assert list(ranking.best[0].pictures) == ["real", "fake", "truth", "error"]


def test_images_without_what_is_compared_are_left_out():
    images = np.zeros((1, 16, 16, 3), np.uint8)
    ranking = Ranking("cycle")
    ranking.add(Batch(images, images, None, images))
    assert ranking.best == ranking.worst == [] and ranking.count == 0
