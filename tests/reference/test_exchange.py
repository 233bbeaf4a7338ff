"""Files of PyTorch's own, and of ours in PyTorch's own hands."""

import os

import numpy as np
import pytest
import torch

from benchmarks.torch_reference import Generator
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.interop.convert import FILES, export_models, import_models
from cyclegan_tf.interop.torch_files import read_tensors, write_tensors
from cyclegan_tf.runs.generators import load_generators
from tests import parity
from tests.helpers import assert_one_line_error, run_here
from tests.reference import oracle


def save(network_or_dict, path, is_new=True):
    tensors = network_or_dict
    if isinstance(tensors, torch.nn.Module):
        tensors = tensors.state_dict()
    torch.save(tensors, path, _use_new_zipfile_serialization=is_new)
    return path


def imported(folder, *files):
    """The run directory of `.pth` files."""
    models = [(path, read_tensors(path)) for path in files]
    return import_models(models, folder / "run", "unknown")


def largest_difference(keras_generator, network, size=(64, 64)):
    images = parity.images(*size, seed=9)
    return np.abs(keras_generator(images) - oracle.apply(network, images)).max()


@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_names_and_shapes_are_those_of_the_network(blocks):
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in Generator(64, blocks).state_dict().items()
    }
    assert list(parity.generator_shapes(64, blocks).items()) == list(shapes.items())


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_full_size_file_is_imported(tmp_path, blocks, is_new):
    networks = [oracle.generator(64, blocks, seed) for seed in (1, 2)]
    files = [
        save(network, tmp_path / name, is_new)
        for network, name in zip(networks, FILES.values(), strict=True)
    ]
    run_dir = imported(tmp_path, *files)
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
    ours = load_generators(imported(tmp_path, path))
    expected = oracle.generator(8, 6, seed=1)
    assert largest_difference(ours["a_to_b"], expected) < parity.OUTPUT_TOLERANCE


@pytest.mark.parametrize("blocks", parity.BLOCKS)
def test_export_is_loaded_strictly(tmp_path, blocks):
    files = [save(oracle.generator(16, blocks, s), tmp_path / str(s)) for s in (1, 2)]
    run_dir = imported(tmp_path, *files)
    written = export_models(run_dir)
    assert list(written) == list(FILES.values())
    ours = load_generators(run_dir).values()
    for (name, tensors), generator in zip(written.items(), ours, strict=True):
        write_tensors(tmp_path / "back" / name, tensors)
        network = Generator(16, blocks)
        state_dict = torch.load(tmp_path / "back" / name, weights_only=True)
        network.load_state_dict(state_dict, strict=True)
        assert largest_difference(generator, network) < parity.OUTPUT_TOLERANCE
        difference = largest_difference(generator, network, (96, 160))
        assert difference < parity.OUTPUT_TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precision_becomes_float32(tmp_path, dtype):
    network = Generator(2, 1).to(dtype)
    tensors = read_tensors(save(network, tmp_path / "x.pth"))
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensors[name], tensor.float().numpy())


def test_parameters_are_read_as_the_state_dict_is(tmp_path):
    network = Generator(2, 1)
    path = save(dict(network.named_parameters()), tmp_path / "x.pth")
    tensors = read_tensors(path)
    assert list(tensors) == list(network.state_dict())
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensors[name], tensor.numpy())


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.ones(3, device="meta"),
        torch.ones(3, dtype=torch.complex64).conj(),
    ],
    ids=["sparse", "meta", "conjugated"],
)
def test_tensor_of_another_kind_is_named(tmp_path, capsys, tensor):
    path = save({"bias": torch.ones(3), "weight": tensor}, tmp_path / "x.pth")
    done = run_here(capsys, "import", path, "--run-dir", tmp_path / "run")
    assert_one_line_error(done, path)
    assert os.listdir(tmp_path) == ["x.pth"]


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("is_new", [True, False])
def test_file_that_would_call_something_is_refused_in_one_line(
    tmp_path, capsys, is_new
):
    witness = tmp_path / "witness"
    path = save({"a": Malicious(witness)}, tmp_path / "x.pth", is_new)
    torch.load(path, weights_only=False)
    assert witness.exists()  # it does work
    witness.unlink()
    done = run_here(capsys, "import", path, "--run-dir", tmp_path / "run")
    assert_one_line_error(done, path, "is no PyTorch file of tensors")
    assert os.listdir(tmp_path) == ["x.pth"]


@pytest.mark.parametrize(
    "content, problem",
    [
        (Generator(2, 1), "no PyTorch file of tensors"),  # the network itself
        ({"epoch": 3, "net": {}}, "'epoch' is a int. Save what network.state_dict"),
        ({}, "holds a dict, no state dict"),
        ([1], "holds a list, no state dict"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, problem):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=f"x.pth .*{problem}"):
        read_tensors(tmp_path / "x.pth")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_file_that_is_cut_off_is_refused(tmp_path, share):
    path = save(Generator(2, 1), tmp_path / "x.pth")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="no PyTorch file of tensors"):
        read_tensors(path)


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="none.pth: no such file"):
        read_tensors(tmp_path / "none.pth")
