"""Named settings for `--recipe`, and what the embedded datasets need.

A flag that is given comes before a recipe, a recipe before what is recommended for the
dataset, and that before the defaults of `TrainConfig`.
"""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    # First pictures of photographs in minutes on two cores: 3,000 steps whatever the
    # number of images. What it is by, and how good: docs/quality.md.
    "quick": {
        "image_size": 64,
        "generator": "attention",
        "upsampling": "resize",
        "filters": 32,
        "generator_filters": 16,
        "residual_blocks": 3,
        "cycle_weight": 3.0,
        "identity_weight": 1.0,
        "learning_rate": 5e-4,
        "discriminator_learning_rate": 2.5e-4,
        "discriminator_head_start": 2000,
        "epochs": 5,
        "steps_per_epoch": 600,
    },
    # Zhu et al. 2017, and where it is silent the authors' program; size, filters and
    # epochs are a matter of means, and their defaults are the paper's.
    "paper": {
        "batch_size": 1,
        "discriminator": "patch70",
        "norm": "plain",
        "upsampling": "transpose",
        "cycle_weight": 10.0,
        "identity_weight": 5.0,
        "average": False,
        "diffaugment": "none",
        "pool_size": 50,
        "learning_rate": 2e-4,
        "discriminator_learning_rate": None,  # the same
    },
}
# What the embedded datasets need to be learned on two cores in minutes. No other
# dataset has settings of its own.
SMALL = {
    "image_size": 64,
    "filters": 16,
    "residual_blocks": 3,
    "epochs": 5,
    "learning_rate": 1e-3,
    "evaluate_every": 1,
    "jit": "off",  # for so small networks XLA takes longer to start, and to run
}
RECOMMENDED: dict[str, dict[str, Any]] = {
    "synthetic/horse2zebra": SMALL
    | {"discriminator_learning_rate": 5e-4, "identity_weight": 10.0},
    "synthetic/t1_t2": SMALL
    | {
        "epochs": 10,
        "learning_rate": 2e-3,
        "cycle_weight": 5.0,
        "identity_weight": 0.0,  # no image is left as it is
    },
}


def settings(dataset: str, recipe: str = "default") -> dict[str, Any]:
    """The options that a dataset and a recipe set, and its name.

    An unknown recipe sets none.

    Example:
        >>> TrainConfig("photos", **settings("photos", "paper"))
    """
    options = {**RECOMMENDED.get(dataset, {}), **RECIPES.get(recipe, {})}
    return {**options, "recipe": recipe}
