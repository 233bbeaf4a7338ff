import dataclasses

import pytest

from cyclegan_tf.config import ExportConfig
from cyclegan_tf.exporting.formats import FORMATS
from cyclegan_tf.exporting.verify import BOUNDS
from cyclegan_tf.inference import run_exported

NAMES = [form.name for form in FORMATS]


def test_names_differ():
    assert len(set(NAMES)) == len(FORMATS)


@pytest.mark.parametrize("form", FORMATS, ids=NAMES)
def test_each_format_is_in_the_help_can_be_run_and_has_bounds(form):
    (field,) = (f for f in dataclasses.fields(ExportConfig) if f.name == "format")
    assert form.name in field.metadata["help"]
    assert form.name in run_exported.RUNNERS
    assert form.precisions and set(form.precisions) <= set(BOUNDS)
