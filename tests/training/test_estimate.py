from cyclegan_tf.config import TrainConfig
from cyclegan_tf.training import estimate

CONFIG = TrainConfig(epochs=12, evaluate_every=5, sample_every=4, checkpoint_every=300)


def test_what_is_left_is_counted_as_the_callbacks_do():
    # Scores after 5, 10 and 12, pictures after 4, 8 and 12; of 600 steps there is one
    # checkpoint within (after 300) and one at the end, and each epoch is examined.
    whole = estimate.left(CONFIG, 600, 0)
    assert whole == estimate.Left(7200, 12, 24, 3, 3, 12)
    # From the middle of the tenth epoch on.
    rest = estimate.left(CONFIG, 600, 5700)
    assert rest == estimate.Left(1500, 3, 6, 2, 1, 3)
    assert estimate.left(CONFIG, 600, 7200).steps == 0


def test_short_epochs_are_not_all_examined():
    assert estimate.left(CONFIG, 200, 0).examinations == 4  # after every third


def test_total_is_the_sum_of_everything():
    left = estimate.Left(100, 10, 20, 3, 5, 2)
    seconds = estimate.Seconds(10, 0.5, 7, 4, 2, 3, 1, 0.1, 0.2, 1)
    expected = 10 + 50 + 7 + 2 * 4 + 5 * 2 + 2 * 3 + (20 + 3) + 10 * 0.3 + 1
    assert estimate.total_seconds(left, seconds) == expected
    finished = estimate.Left(0, 0, 0, 0, 0, 0)
    assert estimate.total_seconds(finished, seconds) == 0


def test_bytes_are_those_that_are_kept():
    each = estimate.Bytes(checkpoint=100, models=10, sample=3, rest=1)
    short = estimate.run_bytes(estimate.Left(8, 2, 2, 1, 2, 0), each)
    # Two checkpoints and the best; two pictures, and both once more in TensorBoard.
    assert short["run_bytes"] == 3 * 100 + 10 + 4 * 3 + 1
    long = estimate.run_bytes(estimate.Left(8000, 200, 200, 40, 200, 0), each)
    assert long["checkpoints_kept"] == 4
    # Of 200 every eighth, 25, and of the newest 20 all but two, which are among them.
    assert long["pictures_bytes"] == 3 * (25 + 20 - 2 + 25)
