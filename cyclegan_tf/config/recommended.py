"""Settings that a dataset brings with it, and the run that commands take by default."""

import dataclasses
from typing import Any

DEFAULT_RUN = "runs/synthetic/horse2zebra"

# What the embedded dataset needs to be learned on two cores in minutes; any flag
# overrides it. No other dataset has settings of its own.
RECOMMENDED: dict[str, dict[str, Any]] = {
    "synthetic/horse2zebra": {
        "image_size": 64,
        "filters": 16,
        "residual_blocks": 3,
        "epochs": 5,
        "learning_rate": 1e-3,
        "identity_weight": 10.0,
        "evaluate_every": 1,
        "jit": "off",  # for so small networks XLA takes longer to start, and to run
    }
}


def recommended(config_class: type, dataset: str) -> dict[str, Any]:
    """Those recommended settings of a dataset that `config_class` has."""
    names = {field.name for field in dataclasses.fields(config_class)}
    settings = RECOMMENDED.get(dataset, {})
    return {name: value for name, value in settings.items() if name in names}
