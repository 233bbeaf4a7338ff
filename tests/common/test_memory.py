import psutil

from cyclegan_tf.common.memory import available_memory, peak_memory


def test_memory_is_known():
    assert 2**20 < psutil.Process().memory_info().rss <= peak_memory()
    assert peak_memory() < psutil.virtual_memory().total
    assert 0 < available_memory() <= psutil.virtual_memory().total
