import subprocess
import sys

from tests.helpers import ROOT


def test_damage_is_noticed_and_named():
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.corruption", "3000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
