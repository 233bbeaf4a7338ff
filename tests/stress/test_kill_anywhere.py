import subprocess
import sys

from tests.helpers import ROOT


def test_what_is_killed_at_its_worst_moments_goes_on_to_the_same_bits():
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.kill_anywhere", "few"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 trials, 0 failures" in done.stdout
    assert done.stdout.count("ended by SIGKILL") >= 5, done.stdout
