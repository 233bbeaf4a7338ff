"""The options of every command, the nature of each, and the table of the losses.

Nothing here imports TensorFlow, so that `--help` answers at once.
"""

from cyclegan_tf.config.commands import (
    DemoConfig,
    EvaluateConfig,
    ExportConfig,
    ImportConfig,
    TranslateConfig,
)
from cyclegan_tf.config.dataset import BuildConfig, DatasetConfig
from cyclegan_tf.config.distill import DistillConfig
from cyclegan_tf.config.losses import LOSS_TERMS, LOSSES, LossTerm
from cyclegan_tf.config.options import Nature, flag, names_of
from cyclegan_tf.config.recipes import RECIPES, RECOMMENDED, settings
from cyclegan_tf.config.train import TrainConfig
