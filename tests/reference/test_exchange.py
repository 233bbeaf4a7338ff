"""Files of PyTorch's own, and of ours in PyTorch's own hands."""

import numpy as np
import pytest
import torch

from benchmarks.torch_reference import Generator
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.convert import FILES, export_models, import_models
from cyclegan_tf.interop.reference_weights import state_dict_shapes
from cyclegan_tf.interop.torch_files import read_tensors
from cyclegan_tf.runs.generators import load_generators
from tests import parity
from tests.reference import oracle


def save(network_or_dict, path, is_new=True):
    tensors = network_or_dict
    if isinstance(tensors, torch.nn.Module):
        tensors = tensors.state_dict()
    torch.save(tensors, path, _use_new_zipfile_serialization=is_new)
    return path


def largest_difference(keras_generator, network, size=(64, 64)):
    images = parity.images(*size, seed=9)
    return np.abs(keras_generator(images) - oracle.apply(network, images)).max()


@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_names_and_shapes_are_those_of_the_network(blocks):
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in Generator(64, blocks).state_dict().items()
    }
    assert list(state_dict_shapes(64, blocks).items()) == list(shapes.items())


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_full_size_file_is_imported(tmp_path, blocks, is_new):
    networks = [oracle.generator(64, blocks, seed) for seed in (1, 2)]
    files = [
        save(network, tmp_path / name, is_new)
        for network, name in zip(networks, FILES.values(), strict=True)
    ]
    run_dir = import_models(files, tmp_path / "run", "unknown")
    for network, ours in zip(networks, load_generators(run_dir).values(), strict=True):
        assert largest_difference(ours, network) < parity.OUTPUT_TOLERANCE


def with_running_statistics(network):
    for module in network.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.track_running_stats = True
            module.register_buffer("running_mean", torch.ones(module.num_features))
            module.register_buffer("running_var", torch.ones(module.num_features))
            module.register_buffer("num_batches_tracked", torch.tensor(3))
    return network.state_dict()


VARIANTS = {
    "module prefix": lambda network: torch.nn.DataParallel(network).state_dict(),
    "running statistics": with_running_statistics,
    "plain dict": lambda network: dict(network.state_dict()),
    "memory order": lambda network: network.to(
        memory_format=torch.channels_last
    ).state_dict(),
    "half of a storage": lambda network: {
        name: torch.stack([tensor, tensor])[1]
        for name, tensor in network.state_dict().items()
    },
}


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_of_a_state_dict_is_imported(tmp_path, variant, is_new):
    tensors = VARIANTS[variant](oracle.generator(8, 6, seed=1))
    path = save(tensors, tmp_path / "x.pth", is_new)
    ours = load_generators(import_models([path], tmp_path / "run", "unknown"))
    expected = oracle.generator(8, 6, seed=1)
    assert largest_difference(ours["a_to_b"], expected) < parity.OUTPUT_TOLERANCE


@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_export_is_loaded_strictly(tmp_path, blocks):
    files = [save(oracle.generator(16, blocks, s), tmp_path / str(s)) for s in (1, 2)]
    run_dir = import_models(files, tmp_path / "run", "unknown")
    written = export_models(run_dir, tmp_path / "back")
    assert [path.name for path in written] == list(FILES.values())
    for path, ours in zip(written, load_generators(run_dir).values(), strict=True):
        network = Generator(16, blocks)
        network.load_state_dict(torch.load(path, weights_only=True), strict=True)
        assert largest_difference(ours, network) < parity.OUTPUT_TOLERANCE
        assert largest_difference(ours, network, (96, 160)) < parity.OUTPUT_TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precision_is_refused_by_name(tmp_path, dtype):
    path = save(Generator(2, 1).to(dtype), tmp_path / "x.pth")
    with pytest.raises(InputError, match="Storage; expected 32-bit floats"):
        read_tensors(path)
