import psutil

from cyclegan_tf.common.memory import available_memory, bytes_text, peak_memory


def test_memory_is_known():
    assert 2**20 < psutil.Process().memory_info().rss <= peak_memory()
    assert peak_memory() < psutil.virtual_memory().total
    assert 0 < available_memory() <= psutil.virtual_memory().total


def test_bytes_are_told_in_three_digits():
    told = [bytes_text(x) for x in (2**10, 1000 * 2**20, 1.25 * 2**30, 3 * 2**40)]
    assert told == ["1 KiB", "0.977 GiB", "1.25 GiB", "3 TiB"]
