from tests.stress.damaged_files import read_damaged


def test_damaged_files_are_refused_or_harmless(tmp_path):
    outcomes, slowest = read_damaged(20_000, seed=1, folder=tmp_path)
    # Of some changes, as in the numbers of the old format, nothing can tell.
    assert outcomes["refused"] > 18_000 and outcomes["read"] > 0
    assert slowest < 1
