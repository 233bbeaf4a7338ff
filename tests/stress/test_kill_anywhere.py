import subprocess
import sys

from tests.helpers import ROOT


def test_what_is_killed_anywhere_goes_on_to_the_same_bits():
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.kill_anywhere", "40"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
