"""The notebook as somebody runs it, from its first cell to its last."""

import base64
import io
import shlex
import shutil
import sys
import zipfile

import nbclient
import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from cyclegan_tf.inference import translator
from tests.helpers import ROOT, TINY, flags, write_images

NOTEBOOK = ROOT / "notebooks" / "cyclegan.ipynb"


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_no_outputs_are_kept():
    for cell in read().cells:
        assert cell.cell_type == "markdown" or not cell.outputs
        assert cell.get("execution_count") is None


def test_copy_that_fails_is_told_and_ends_nothing(tmp_path, capsys):
    (cell,) = (x.source for x in read().cells if "def copy_run" in x.source)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "step-4.npz").touch()
    (tmp_path / "full").touch()  # no folder can be made in it
    names = {"run": tmp_path / "run", "kept": tmp_path / "full" / "x", "shutil": shutil}
    exec(cell.partition("\nif kept and")[0], names)
    names["copy_run"]()
    assert capsys.readouterr().out.startswith(f"not copied to {tmp_path}/full/x: ")


def test_pictures_are_translated_by_the_run_that_is_named(
    tmp_path, run_dir, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    write_images(tmp_path / "photos", 1)
    shutil.move(tmp_path / "photos" / "000.png", tmp_path / "photos" / "[0].png")
    names = {"run": str(run_dir), "NAME": "second", "PICTURES": "photos"}
    names["cyclegan"] = f"{sys.executable} -m cyclegan_tf"
    filled_in = "".join(f"{name} = {text!r}\n" for name, text in names.items())
    imports = "from pathlib import Path\nfrom IPython.display import Image, display\n"
    (cell,) = (x for x in read().cells if "translate --model" in x.source)
    notebook = new_notebook(cells=[new_code_cell(imports + filled_in), cell])
    for earlier in ("translated", "translated/second"):  # of another run, or step
        (tmp_path / earlier).mkdir()
        shutil.copy(tmp_path / "photos" / "[0].png", tmp_path / earlier)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    shown = [x.data["image/png"] for x in cell.outputs if "data" in x]
    before, after = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(x)))) for x in shown
    )
    np.testing.assert_array_equal(after, translator.load(run_dir)(before))


def test_notebook_trains_shows_scores_and_exports(tmp_path, tiny_data_dir, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    write_images(tmp_path / "photos", 1)
    notebook = read()
    (options,) = (
        i
        for i, x in enumerate(notebook.cells)
        if "parameters" in x.metadata.get("tags", [])
    )
    flags_of_training = shlex.join(
        flags(TINY | {"data_dir": tiny_data_dir, "epochs": 1})
    )
    filled_in = f"OPTIONS = {flags_of_training!r}; PICTURES = 'photos'"
    notebook.cells.insert(options + 1, new_code_cell(filled_in))
    # As in Colab, before the cell that trains.
    elsewhere = new_code_cell("kept = Path('kept').absolute()")
    notebook.cells.insert(options + 3, elsewhere)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()

    run = tmp_path / "runs" / "first"
    shown = [
        data
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for data in output.get("data", {})
    ]
    # Two samples, and a picture before and after.
    assert shown.count("image/png") == 4
    assert (run / "report.html").is_file() and (run / "scores.json").is_file()
    (checkpoint,) = (tmp_path / "kept" / "checkpoints").glob("step-*")
    assert (
        checkpoint.read_bytes() == (run / "checkpoints" / checkpoint.name).read_bytes()
    )
    assert (tmp_path / "kept" / "config.json").is_file()
    with zipfile.ZipFile(tmp_path / "first-export.zip") as archive:
        assert "first/1/saved_model.pb" in archive.namelist()
