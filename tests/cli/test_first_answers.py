"""What is wrong with a call shows at once: TensorFlow, which takes seconds, is barred.

One process answers all calls; it has modules of its own, which this one has not.
"""

import json
import subprocess
import sys

import pytest

from cyclegan_tf.config import TrainConfig
from cyclegan_tf.runs import directory
from tests.helpers import ROOT, write_images

PROGRAM = """
import contextlib, io, json, sys
for name in ("tensorflow", "keras", "tensorflow_datasets", "torch"):
    sys.modules[name] = None
from cyclegan_tf import cli
answers = []
for arguments in json.loads(sys.stdin.read()):
    said, shown = io.StringIO(), io.StringIO()
    status = None
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown):
        try:
            cli.main(arguments)
        except SystemExit as end:
            status = end.code
    answers.append((status, shown.getvalue(), said.getvalue()))
print(json.dumps(answers))
"""
HELP = [[name, "--help"] for name in ("train", "evaluate", "export", "translate")] + [
    [name, "--help"] for name in ("distill", "demo", "build", "import")
]
RIGHT = ["build photos --data-dir new", "train --run-dir runs/cut --dry-run"]
# Calls, and what is said of them.
SLIPS = {
    "train --batch_size 4": "did you mean --batch-size?",
    "train --epochs 0": "--epochs must be at least 1",
    "train --norm none": "--norm: invalid choice: 'none'",
    "train --dataset ./gone": "--dataset ./gone: no such folder",
    "train --dataset flat": "flat has neither trainA/ and trainB/",
    "train --domain-a flat/photos --domain-b gone": "--domain-b gone",
    "train --dataset cycle_gan/maps --tfds-data-dir gone": "gone: no such directory",
    "train --dataset photos --data-dir file": "--data-dir file: file is a file",
    "train --run-dir file": "--run-dir file: file is a file",
    "train --dataset photos --run-dir flat": "so it is not a run",
    "train --dataset photos --init-from gone": "gone: no such run directory",
    "train --dataset photos --inception-weights gone.h5": "gone.h5: no such file",
    "train --dataset photos --run-dir runs/begun --seed 5": "--seed was 0 and is now 5",
    "train --run-dir runs/begum": "did you mean runs/begun?",
    "train --run-dir runs/begun/": "tells of 2 epochs: put the newest checkpoint",
    "train --dry-run --run-dir gone": "gone: no run is there to go on with",
    "train --run-dir runs/trained --dry-run": "trained is finished, after 200 epochs",
    "evaluate gone": "train one with train.py, or name another one.",
    "evaluate runs/begun": "has no trained model yet",
    "evaluate export --report": "--report is on runs, and export is an export",
    "evaluate runs/trained --dataset photos --image-size 0": "at least 16, got 0",
    "evaluate runs/trained --dataset photos --image-size 32x18": "multiples of 4",
    "evaluate runs/trained --report --dataset photos": "leave out --dataset",
    "evaluate export --dataset photos --weights raw": "--weights raw: export is an",
    "evaluate export --dataset photos --checkpoint best": "best: export is an export",
    "evaluate export": "does not say which images",
    "evaluate export --dataset ./gone": "--dataset ./gone: no such folder",
    "evaluate runs/trained --checkpoint 7": "--checkpoint 7: runs/trained/checkpoints",
    "evaluate runs/trained --inception-weights gone.h5": "gone.h5: no such file",
    "export --run-dir gone": "gone: no such run directory",
    "export --run-dir linked": "linked is not the directory of a run",
    "export --run-dir runs/trained --format pdf": "--format takes savedmodel, onnx",
    "export --run-dir runs/trained --precision int8": "take float32 or bfloat16",
    "export --run-dir runs/trained --output file": "--output file: file is a file",
    "export --run-dir runs/trained --output file/x": "file/x: file is a file",
    "export --run-dir runs/trained --checkpoint best": "--checkpoint best: runs/train",
    "translate flat out --model gone": "gone: no such run or export",
    "translate flat": "expected IN and OUT",
    "translate flat out --direction up": "invalid choice",
    "translate gone out --model runs/trained": "gone: no such picture",
    "translate flat out --model runs/begun": "has no trained model yet",
    "translate flat out --model runs/trained --checkpoint 7": "--checkpoint 7",
    "distill --run-dir gone": "gone: no such run directory",
    "distill --run-dir runs/trained --student-dir file": "--student-dir file: file is",
    "distill --run-dir runs/trained --dataset ./gone": "--dataset ./gone: no such",
    "demo --model gone": "gone: no such run or export",
    "demo --host 203.0.113.1": "--host 203.0.113.1 --port 7860: cannot listen there",
    "build ./gone": "--dataset ./gone: no such folder",
    "build flat": "flat has neither",
    "import gone.pth --run-dir new": "gone.pth: no such file",
    "import file --run-dir runs/trained": "--run-dir runs/trained exists",
    "import --run-dir gone --to-reference out": "gone: no such run directory",
    "import --run-dir runs/trained --to-reference file": "file is a file",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the calls are made: images, runs, an export, a file."""
    path = tmp_path_factory.mktemp("slips")
    for domain in "AB":
        write_images(path / "photos" / f"train{domain}", 2)
    write_images(path / "flat" / "photos", 2)
    (path / "photos" / "trainA" / "notes.txt").touch()
    (path / "file").touch()
    (path / "linked").mkdir()
    (path / "linked" / "a.jpg").symlink_to(path / "file")
    for name in ("begun", "trained", "cut"):
        run_dir = path / "runs" / name
        run_dir.mkdir(parents=True)
        config = TrainConfig(dataset="photos", run_dir=f"runs/{name}")
        directory.write_config(run_dir, directory.Recorded(config, "f00d"))
    rows = "epoch,step,G_A\n1,2,0.5\n2,4,0.4\n"
    (path / "runs" / "begun" / "metrics.csv").write_text(rows)
    # The second was killed between its models and the checkpoint of its last epoch.
    for name, step in (("trained", 4), ("cut", 3)):
        run_dir = path / "runs" / name
        (run_dir / "model").mkdir()
        about = {"directions": ["a_to_b", "b_to_a"], "step": 4, "epochs": 200}
        (run_dir / "model" / "model.json").write_text(json.dumps(about))
        (run_dir / "checkpoints").mkdir()
        (run_dir / "checkpoints" / f"step-{step:09}.npz").touch()
    (path / "export" / "1").mkdir(parents=True)
    (path / "export" / "1" / "a_to_b.onnx").touch()
    return path


@pytest.fixture(scope="module")
def answers(folder):
    """`(status, output, errors)` by call."""
    calls = [*HELP, *(call.split() for call in (*RIGHT, *SLIPS))]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(map(tuple, calls), json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("call", HELP, ids=" ".join)
def test_help_answers_without_tensorflow(answers, call):
    status, shown, _ = answers[tuple(call)]
    assert status == 0 and "usage:" in shown


@pytest.mark.parametrize("call, problem", SLIPS.items())
def test_slip_is_refused_without_tensorflow(answers, call, problem):
    status, _, said = answers[tuple(call.split())]
    assert status == 2 and problem in said
    assert said.startswith(f"cyclegan {call.split()[0]}: error: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("call", RIGHT)
def test_nothing_is_said_of_what_is_right_before_it_is_used(answers, call):
    _, _, said = answers[tuple(call.split())]
    needed = "this needs tensorflow; install with pip install .\n"
    assert said == f"cyclegan {call.split()[0]}: error: {needed}"
