"""The lines of docs/serving.md that make a Core ML model, run as they stand there."""

import re

import pytest

from tests.helpers import ROOT


@pytest.mark.filterwarnings("ignore")  # of coremltools, which is not ours to mend
def test_lines_of_the_document_make_a_model_of_flexible_size(
    run_dir, tmp_path, monkeypatch
):
    coremltools = pytest.importorskip("coremltools")
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    (lines,) = (block for block in blocks if "coremltools" in block)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "photos").symlink_to(run_dir)
    monkeypatch.chdir(tmp_path)
    exec(compile(lines, "docs/serving.md", "exec"), {})
    saved = coremltools.models.MLModel("a_to_b.mlpackage", skip_model_load=True)
    description = saved.get_spec().description
    ranges = description.input[0].type.multiArrayType.shapeRange.sizeRanges
    bounds = [(side.lowerBound, side.upperBound) for side in ranges]
    assert bounds == [(1, 1), (64, 1024), (64, 1024), (3, 3)]
    assert len(description.output) == 1
