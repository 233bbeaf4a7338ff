import numpy as np
import pytest
import scipy.linalg

from cyclegan_tf.metrics.feature_distances import fid, kid

RNG = np.random.default_rng(0)


def cloud(count, dimensions=8, seed=0, shift=0.0, scale=1.0):
    """Correlated points, each dimension with another spread."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(dimensions, dimensions))
    return shift + scale * rng.normal(size=(count, dimensions)) @ mix


def points_with(mean, deviations, axes):
    """Points with exactly this mean and these standard deviations along the axes."""
    mean, deviations = np.asarray(mean, float), np.asarray(deviations, float)
    # A pair at +-t has the unbiased variance 2 t^2 / (n - 1) along its axis.
    count = 2 * len(deviations)
    steps = (deviations * np.sqrt((count - 1) / 2))[:, None] * axes
    return mean + np.concatenate([steps, -steps])


def test_fid_with_common_axes():
    # Such covariances commute: the sum over axes of the one-dimensional form.
    axes = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    first = points_with([0, 0, 0], [1, 2, 3], axes)
    second = points_with([1, 1, 1], [2, 0, 7], axes)
    assert fid(first, second) == pytest.approx(3 + 1 + 4 + 16)


@pytest.mark.parametrize("counts", [(50, 40), (7, 40), (50, 7), (8, 9)])
def test_fid_equals_scipys_matrix_root(counts):
    # More and fewer images than dimensions: of 7, the covariance is singular.
    first = cloud(counts[0])
    second = cloud(counts[1], seed=1, shift=0.5, scale=1.7)
    mean1, mean2 = first.mean(axis=0), second.mean(axis=0)
    cov1, cov2 = np.cov(first.T), np.cov(second.T)
    root = scipy.linalg.sqrtm(cov1 @ cov2)
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2 - 2 * root.real)
    assert fid(first, second) == pytest.approx(expected, rel=1e-5)
    assert fid(second, first) == pytest.approx(expected, rel=1e-5)


def test_fid_of_float32_features_is_computed_in_float64():
    # A large common mean, as features have: float32 would lose the spread.
    first, second = (np.float32(cloud(60, seed=s, shift=3e3)) for s in (0, 1))
    exact = fid(np.float64(first), np.float64(second))
    assert fid(first, second) == pytest.approx(exact, rel=1e-12)


def longhand_kid(first, second):
    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    m, n = len(first), len(second)
    xx = sum(kernel(first[i], first[j]) for i in range(m) for j in range(m) if i != j)
    yy = sum(kernel(second[i], second[j]) for i in range(n) for j in range(n) if i != j)
    xy = sum(kernel(x, y) for x in first for y in second)
    return xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2 * xy / (m * n)


def test_kid_equals_longhand():
    first, second = cloud(7, 3), cloud(5, 3, seed=1, shift=1.0)
    assert kid(first, second).value == pytest.approx(longhand_kid(first, second))


def test_kid_equals_the_formula_over_more_than_one_block():
    first, second = cloud(700), cloud(600, seed=1, shift=0.3)
    xx, yy, xy = (
        (x @ y.T / x.shape[1] + 1) ** 3
        for x, y in ((first, first), (second, second), (first, second))
    )
    m, n = len(first), len(second)
    expected = (xx.sum() - np.trace(xx)) / (m * (m - 1))
    expected += (yy.sum() - np.trace(yy)) / (n * (n - 1)) - 2 * xy.mean()
    assert kid(first, second).value == pytest.approx(expected)


def test_kid_interval_covers_as_often_as_it_says():
    # The expected value, from far more points than the samples have.
    options = {"shift": 0.5, "scale": 1.2}
    truth = kid(cloud(2000, seed=1), cloud(2000, seed=2, **options)).value
    results = [
        kid(cloud(60, seed=10 + i), cloud(60, seed=500 + i, **options))
        for i in range(50)
    ]
    covered = np.mean([r.low <= truth <= r.high for r in results])
    assert 0.8 <= covered <= 1.0
    assert all(r.low < r.value < r.high for r in results)


@pytest.mark.parametrize("counts", [(2, 2), (3, 40)])
def test_kid_of_few_images_has_an_interval(counts):
    first, second = cloud(counts[0]), cloud(counts[1], seed=1)
    assert np.isfinite(kid(first, second)).all()
