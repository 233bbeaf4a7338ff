import shutil

from cyclegan_tf.training import run as training
from tests.helpers import TINY, assert_same_checkpoint, tiny_config

OPTIONS = TINY | {"steps_per_epoch": 6, "checkpoint_every": 3, "jit": "on"}


def test_step_compiled_for_the_processor_continues_to_the_same_bits(
    tmp_path, tiny_data_dir
):
    whole = tiny_config(tmp_path / "whole", **OPTIONS, data_dir=str(tiny_data_dir))
    training.train(whole)
    checkpoints = sorted((whole.resolved_run_dir / "checkpoints").glob("step-*.npz"))
    # What a run has that was killed after the checkpoint before the last.
    cut = tiny_config(tmp_path / "cut", **OPTIONS, data_dir=str(tiny_data_dir))
    shutil.copytree(whole.resolved_run_dir, cut.resolved_run_dir)
    (cut.resolved_run_dir / "checkpoints" / checkpoints[-1].name).unlink()
    training.train(cut)
    assert_same_checkpoint(
        cut.resolved_run_dir / "checkpoints" / checkpoints[-1].name, checkpoints[-1]
    )
