import subprocess
import sys

import pytest

from tests.helpers import ROOT


@pytest.mark.parametrize(
    "program, count",
    [("corruption", 3000), ("hostile_images", 5000), ("kill_anywhere", 40)],
)
def test_nothing_is_lost_crashes_or_hangs(program, count):
    done = subprocess.run(
        [sys.executable, "-m", f"tests.stress.{program}", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
