import dataclasses

import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.exporting import run_exported
from cyclegan_tf.exporting.formats import FORMATS, onnx
from cyclegan_tf.exporting.verify import BOUNDS

NAMES = [form.name for form in FORMATS]


def test_names_and_folders_differ():
    assert len(set(NAMES)) == len({form.folder for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("form", FORMATS, ids=NAMES)
def test_each_format_is_in_the_help_can_be_run_and_has_bounds(form):
    (field,) = (f for f in dataclasses.fields(ExportConfig) if f.name == "format")
    assert form.name in field.metadata["custom_args"]["help"]
    assert form.name in run_exported.RUNNERS
    assert form.precisions and set(form.precisions) <= set(BOUNDS)


def test_missing_library_is_named():
    form = dataclasses.replace(onnx.FORMAT, packages={"no_such_module": "its-package"})
    with pytest.raises(InputError, match="--format onnx needs its-package; install"):
        form.require("float32")


def test_precision_that_a_format_cannot_have_is_named():
    with pytest.raises(InputError, match="bfloat16 is not for --format onnx"):
        onnx.FORMAT.require("bfloat16")
