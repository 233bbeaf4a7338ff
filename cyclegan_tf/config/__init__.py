"""The options of every command, the nature of each, and the table of the losses.

Nothing here imports TensorFlow, so that `--help` answers at once.
"""

from cyclegan_tf.config.dataset import BuildConfig, DatasetConfig
from cyclegan_tf.config.evaluate import EvaluateConfig
from cyclegan_tf.config.export import ExportConfig
from cyclegan_tf.config.importing import ImportConfig
from cyclegan_tf.config.losses import LOSS_TERMS, LOSSES, LossTerm
from cyclegan_tf.config.options import Nature, flag, names_of
from cyclegan_tf.config.recommended import RECOMMENDED, recommended
from cyclegan_tf.config.train import TrainConfig
from cyclegan_tf.config.translate import TranslateConfig

__all__ = [
    "LOSSES",
    "LOSS_TERMS",
    "RECOMMENDED",
    "BuildConfig",
    "DatasetConfig",
    "EvaluateConfig",
    "ExportConfig",
    "ImportConfig",
    "LossTerm",
    "Nature",
    "TrainConfig",
    "TranslateConfig",
    "flag",
    "names_of",
    "recommended",
]
