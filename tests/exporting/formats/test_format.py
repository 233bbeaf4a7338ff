import pytest

from cyclegan_tf.config.formats import FORMATS
from cyclegan_tf.exporting.formats import WRITERS
from cyclegan_tf.exporting.verify import BOUNDS
from cyclegan_tf.inference.run_exported import RUNNERS


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_each_format_can_be_written_and_run_and_has_bounds(form):
    assert form.name in WRITERS and form.name in RUNNERS
    assert form.precisions and set(form.precisions) <= set(BOUNDS)
