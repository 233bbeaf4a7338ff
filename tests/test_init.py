"""The package as somebody imports it, in a process of its own."""

import subprocess
import sys

from tests.helpers import ROOT


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )


def test_package_and_its_options_need_no_tensorflow():
    done = run(
        "import sys, cyclegan_tf\n"
        "assert cyclegan_tf.TrainConfig().image_size == 256\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(cyclegan_tf.__version__)"
    )
    assert (done.stdout, done.stderr) == ("0.1.0\n", "")


def test_functions_are_there_by_their_names():
    done = run(
        "import cyclegan_tf\n"
        "for _ in range(2):\n"
        "    from cyclegan_tf import TrainConfig, evaluate, export, load, train\n"
        "    assert all(map(callable, (evaluate, export, load, train)))\n"
        "assert all(hasattr(cyclegan_tf, name) for name in cyclegan_tf.__all__)"
    )
    assert done.returncode == 0, done.stderr


def test_other_names_are_no_attributes():
    done = run("import cyclegan_tf; cyclegan_tf.nothing")
    assert "module 'cyclegan_tf' has no attribute 'nothing'" in done.stderr
