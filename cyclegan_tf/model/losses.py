"""The loss terms of CycleGAN: pure functions, computed in float32."""

from keras import ops

from cyclegan_tf.model.networks import apply_to_pair


def adversarial_loss(fake_scores):
    """Least-squares loss of a generator: its fakes should be judged real.

    Args:
        fake_scores: float tensor of any shape, the discriminator's patch scores of
            the fakes; 1 means real, 0 means fake.

    Returns:
        float32 scalar, the mean of `(score - 1)^2`.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 4 (least squares for Eq. 1).
    """
    return ops.mean(ops.square(ops.cast(fake_scores, "float32") - 1.0))


def discriminator_loss(real_scores, fake_scores):
    """Least-squares loss of a discriminator.

    Args:
        real_scores: float tensor of any shape, patch scores of real images.
        fake_scores: patch scores of fakes, usually from the image pool.

    Returns:
        float32 scalar, half the sum of the means of `(real - 1)^2` and `fake^2`: the
        half slows the discriminator down relative to the generator (Sec. 4 of the
        paper); 0.25 is a discriminator that answers 0.5 to everything.
    """
    real_error = ops.mean(ops.square(ops.cast(real_scores, "float32") - 1.0))
    fake_error = ops.mean(ops.square(ops.cast(fake_scores, "float32")))
    return 0.5 * (real_error + fake_error)


def absolute_error(real, translated):
    """Mean absolute error, which both the cycle and the identity loss are.

    Args:
        real: float tensor `(batch, height, width, channels)` in [-1, 1].
        translated: what should be equal to it, same shape and range: the image after
            both generators (cycle, Eq. 2 of the paper), or after the generator whose
            output domain it is already in (identity, Sec. 5.2).

    Returns:
        float32 scalar; 1.0 is 127.5 grey levels.
    """
    difference = ops.cast(real, "float32") - ops.cast(translated, "float32")
    return ops.mean(ops.abs(difference))


def feature_error(stages, first, second):
    """Mean absolute error between what a discriminator makes of two batches.

    That is the mean over its `networks.stages_of`, a float32 scalar. The batches are
    float `(batch, height, width, channels)` in [-1, 1].

    Source: Wang et al. 2018, arXiv:1711.11585, Eq. 4.
    """
    pairs = apply_to_pair(stages, first, second)
    return sum(absolute_error(*pair) for pair in pairs) / len(pairs)


def teacher_losses(teachers, stages, reals, translated):
    """Distances from the translations of trained generators; without any, no losses.

    Teachers are by direction, and so are the `stages` of the discriminators that judge
    their translations; `reals` are images of A and of B, `translated` what the
    generators that learn make of them. Returns float32 scalars by name, see
    `absolute_error` and `feature_error`.
    """
    if not teachers:
        return {}
    losses = {}
    rows = zip("AB", ("a_to_b", "b_to_a"), reals, translated, strict=True)
    for source, direction, real, fake in rows:
        taught = teachers[direction](real)
        losses[f"teacher_{source}"] = absolute_error(taught, fake)
        losses[f"feature_{source}"] = feature_error(stages[direction], taught, fake)
    return losses
