from tests.stress import hostile_images


def test_hostile_files_are_images_or_refusals():
    outcomes, slowest, peak = hostile_images.feed(5000, seed=0)
    assert outcomes.total() == 2 * 5000
    assert {outcome for _, outcome in outcomes} == {"read", "translated", "refused"}
    assert slowest < 30  # generous
    assert peak < 4 * 2**30
