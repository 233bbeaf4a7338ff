"""Generators that others trained: imported, and beside their own PyTorch code."""

import importlib.util
import pathlib

import numpy as np
import pytest
import torch

from cyclegan_tf.interop.convert import import_models
from cyclegan_tf.interop.torch_files import read_tensors
from cyclegan_tf.runs.generators import load_generators
from tests.helpers import random_images


def package_folder(name):
    """Where a package lies, without importing it and what it requires."""
    found = importlib.util.find_spec(name)
    if found is None:
        pytest.skip(f"needs pip install {name}")
    return pathlib.Path(found.origin).parent


def test_generator_of_vintagify_equals_its_own_code(tmp_path):
    folder = package_folder("vintagify")
    spec = importlib.util.spec_from_file_location("theirs", folder / "generator.py")
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    path = folder / "resources" / "G_A2B_epoch33.pth"
    network = theirs.ResnetGenerator()
    network.load_state_dict(torch.load(path, "cpu", weights_only=True))
    run_dir = import_models([(path, read_tensors(path))], tmp_path / "run", "vintage")
    ours = load_generators(run_dir)["a_to_b"]
    images = random_images(1, 256)
    with torch.no_grad():
        given = torch.from_numpy(np.asarray(images).transpose(0, 3, 1, 2).copy())
        expected = network(given).numpy().transpose(0, 2, 3, 1)
    assert np.abs(ours(images) - expected).max() < 1e-4
