"""PyTorch's files of named tensors (`.pth`), by PyTorch's own hands.

`torch.load(weights_only=True)` builds tensors and plain containers and calls nothing
else that a file names.
"""

import importlib.util
import pathlib

import numpy as np

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import written_aside


def read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """What `torch.save(network.state_dict(), path)` wrote, floats as float32.

    Raises `InputError` for anything else, or no file, or without PyTorch.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    torch = _torch(path)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file leads to has many names
        raise InputError(
            f"{path} is no PyTorch file of tensors: {_reason(error)}"
        ) from None
    if not isinstance(tensors, dict) or not tensors:
        raise InputError(f"{path} holds a {type(tensors).__name__}, no state dict.")
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise InputError(
                f"{path} is no state dict: {str(name)[:80]!r} is a "
                f"{type(tensor).__name__}. Save what network.state_dict() gives alone."
            )
    return {str(name): _array(path, name, x) for name, x in tensors.items()}


def write_tensors(path: pathlib.Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes arrays by name as `torch.save` does; `InputError` without PyTorch."""
    torch = _torch(path)
    arrays = {n: np.ascontiguousarray(array) for n, array in tensors.items()}
    with written_aside(path) as aside:
        torch.save({n: torch.from_numpy(x) for n, x in arrays.items()}, aside)


def _array(path, name, tensor):
    try:
        floats = tensor.float() if tensor.is_floating_point() else tensor
        return floats.detach().numpy()
    except Exception as error:  # such as a sparse or quantized one has its own types
        raise InputError(
            f"{path}: {str(name)[:80]!r} is no plain tensor: {_reason(error)}"
        ) from None


def _reason(error):
    return " ".join(str(error).split())[:200] or type(error).__name__


def _torch(path):
    if importlib.util.find_spec("torch") is None:
        raise InputError(
            f"{path}: .pth files need PyTorch; install it with pip install '.[torch]'."
        )
    import torch

    return torch
