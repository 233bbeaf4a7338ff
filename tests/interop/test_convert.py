import importlib.util
import pathlib
import re

import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.interop.convert import (
    export_models,
    generator_from_reference,
    import_models,
)
from cyclegan_tf.interop.torch_files import read_tensors
from cyclegan_tf.model.building import new_generator
from cyclegan_tf.model.networks import InstanceNormalization
from cyclegan_tf.runs import directory as run_directory
from cyclegan_tf.runs import generators, saved
from cyclegan_tf.runs.directory import Recorded
from cyclegan_tf.runs.run_dir import RunDir
from cyclegan_tf.training import first_state
from tests import parity
from tests.helpers import (
    TINY,
    assert_one_line_error,
    assert_same_checkpoint,
    flags,
    random_images,
    run_here,
    tiny_config,
    write_run,
)

IMAGES = random_images(1, 16)


def state_dict(filters=2, blocks=1, seed=1):
    return parity.generator_weights(filters, blocks, seed)


def output(tensors):
    return generator_from_reference(tensors, "x.pth")[0](IMAGES).numpy()


@pytest.fixture
def files():
    """Two small state dicts, A to B and B to A, as they are read."""
    return [
        (pathlib.Path(f"latest_net_G_{name}.pth"), state_dict(seed=seed))
        for seed, name in enumerate("AB", start=1)
    ]


def with_statistics(tensors):
    """As old versions wrote: running statistics of each norm."""
    extended = dict(tensors)
    for name in tensors:
        parent, _, kind = name.rpartition(".")
        if kind == "bias" and len(tensors[name]) > 3:
            head, _, index = parent.rpartition(".")
            norm = f"{head}.{int(index) + 1}"
            extended[f"{norm}.running_mean"] = np.full_like(tensors[name], 7)
            extended[f"{norm}.running_var"] = np.full_like(tensors[name], 7)
            extended[f"{norm}.num_batches_tracked"] = np.int64(7)
    return extended


def without_biases(tensors):
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name.endswith("weight") or len(tensor) == 3
    }


def with_prefix(tensors):
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def renumbered(tensors):
    """Names that say nothing."""
    return {
        f"layer{i // 2}.{('weight', 'bias')[i % 2]}": tensor
        for i, tensor in enumerate(tensors.values())
    }


@pytest.mark.parametrize("blocks", [0, 6])
@pytest.mark.parametrize(
    "vary", [with_statistics, without_biases, with_prefix, renumbered]
)
def test_variants_compute_the_same(vary, blocks):
    tensors = state_dict(filters=4, blocks=blocks)
    varied = vary(tensors)
    assert varied.keys() != tensors.keys()
    np.testing.assert_array_equal(output(varied), output(tensors))


def without(*names):
    return lambda tensors: {n: t for n, t in tensors.items() if n not in names}


def replaced(name, tensor):
    return lambda tensors: tensors | {name: tensor}


def zeros(*shape):
    return np.zeros(shape, np.float32)


def with_norms(tensors):
    """Scale and offset behind each convolution but the last."""
    *names, last = (name for name in tensors if name.endswith("weight"))
    rng, extended = np.random.default_rng(0), {}
    for name, tensor in tensors.items():
        extended[name] = tensor
        kernel = name.removesuffix("bias") + "weight"
        if name.endswith("bias") and kernel != last:
            for what in ("weight", "bias"):
                vector = rng.normal(1, 0.1, tensor.shape).astype("float32")
                extended[f"norm of {kernel}.{what}"] = vector
    return extended


def plainly_upsampled(tensors):
    """The transposed kernels as those of plain convolutions."""
    return {
        name: tensor.swapaxes(0, 1) if name in UP and tensor.ndim == 4 else tensor
        for name, tensor in tensors.items()
    }


UP = ("model.11.weight", "model.14.weight")  # of one block


@pytest.mark.parametrize("blocks", [1, 8])
def test_learned_scales_and_offsets_are_taken_over(blocks):
    tensors = with_norms(state_dict(blocks=blocks))
    generator, found = generator_from_reference(tensors, "x.pth")
    for layer, name in (("stem", "model.1"), ("up2", f"model.{13 + blocks}")):
        norm = generator.get_layer(f"{layer}_norm")
        for what, found_there in (("weight", norm.scale), ("bias", norm.offset)):
            expected = tensors[f"norm of {name}.weight.{what}"]
            np.testing.assert_array_equal(found_there, expected)
    assert not found.assumed


def test_plain_convolutions_behind_an_upsampling_are_recognised():
    tensors = plainly_upsampled(state_dict())
    generator, found = generator_from_reference(tensors, "x.pth")
    kernel = generator.get_layer("up1").get_weights()[0]
    expected = tensors["model.11.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel, expected)
    # Three layers from one to the next: none that pads is among them.
    assert found.assumed == [
        "up-sampling repeats each pixel",
        "convolutions behind it see a mirrored border",
    ]


def test_layers_without_numbers_leave_the_border_of_blocks_open():
    _, found = generator_from_reference(renumbered(state_dict()), "x.pth")
    assert found.assumed == ["residual blocks mirror the border of what they convolve"]


KERNEL = "model.18.weight"  # of the last convolution
SECOND = "model.10.conv_block.5"  # of the one block
OTHERS = {
    "no bias at the end": (without("model.18.bias"), f"{KERNEL}' stand 0 biases"),
    "no last layer": (without(KERNEL, "model.18.bias"), r"(3, 2, 7, 7) is missing"),
    "no first kernel": (without("model.1.weight"), "'model.1.bias' of shape (2,) is"),
    "no second kernel": (
        without("model.4.weight"),
        "'model.7.weight' is (8, 4, 3, 3); expected (4, 2, 3, 3)",
    ),
    "two biases": (replaced("model.18.more", zeros(3)), f"{KERNEL}' stand 2 biases"),
    "half a block": (
        without(f"{SECOND}.weight", f"{SECOND}.bias"),
        "(8, 4, 3, 3); expected (8, 8, 3, 3), of residual1_conv2",
    ),
    "a second head": (
        replaced("mask.weight", zeros(1, 2, 7, 7)),
        "behind its last convolution there is 'mask.weight', (1, 2, 7, 7)",
    ),
    "a matrix": (replaced("scale", zeros(3, 3)), "'scale' of shape (3, 3) is neither"),
    "4x4": (replaced("model.4.weight", zeros(4, 2, 4, 4)), "expected (4, 2, 3, 3)"),
    "a short bias": (replaced("model.1.bias", zeros(3)), "of 3 numbers; expected 2"),
    "integers": (replaced("model.1.bias", np.int64([1, 2])), "is of int64"),
    "NaN": (replaced("model.1.bias", np.float32([1, np.nan])), "holds NaN"),
    "half a norm": (
        lambda x: without("norm of model.4.weight.bias")(with_norms(x)),
        "1 vectors of a norm; expected 0 or 1 and 2",
    ),
    "batch normalization": (
        lambda x: with_norms(x) | {"n.running_var": zeros(2)},
        "'n.running_var' is of batch normalization",
    ),
    "a U-Net": (
        lambda x: {"down.weight": zeros(64, 3, 4, 4)},
        "begins with 'down.weight', (64, 3, 4, 4); expected a 7x7",
    ),
    "a discriminator": (
        lambda x: parity.discriminator_weights("patch70", 2, 1),
        "expected a 7x7",
    ),
    "nothing": (lambda x: {}, "it begins with nothing"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_tensors_are_refused_by_what_was_found(kind):
    change, problem = OTHERS[kind]
    start = "x.pth is not a ResNet generator: .*"
    with pytest.raises(InputError, match=start + re.escape(problem)):
        generator_from_reference(change(state_dict()), "x.pth")


@pytest.mark.parametrize(
    "options, named",
    [
        ({"norm": "affine"}, "--norm plain"),
        ({"norm": "plain", "upsampling": "resize"}, "--upsampling transpose"),
        ({"norm": "plain", "generator": "attention"}, "--generator resnet"),
    ],
)
def test_other_networks_cannot_be_given_back(tmp_path, options, named):
    config = tiny_config(tmp_path, **options)
    run_directory.write_config(tmp_path, Recorded(config, None))
    with pytest.raises(InputError, match=f"{tmp_path} cannot be written .*{named}"):
        export_models(tmp_path)


# Run directories.


def test_import_makes_a_run_directory(files, tmp_path):
    run_dir = import_models(files, tmp_path / "runs/new", "cycle_gan/horse2zebra")
    config, fingerprint, domains, _ = run_directory.read_config(run_dir)
    assert (config.filters, config.residual_blocks, config.norm) == (2, 1, "plain")
    assert (config.dataset, fingerprint) == ("cycle_gan/horse2zebra", None)
    assert domains == Domains()
    loaded = generators.load_generators(run_dir)
    for (_, tensors), generator in zip(files, loaded.values(), strict=True):
        expected = output(tensors)
        np.testing.assert_array_equal(generator(IMAGES), expected)
    assert saved.read_about(run_dir)["imported_from"] == [p.name for p, _ in files]


def test_norms_with_weights_and_plain_upsampling_are_options_of_the_run(tmp_path):
    tensors = with_norms(plainly_upsampled(state_dict()))
    run_dir = import_models([(tmp_path / "x", tensors)], tmp_path / "run", "unknown")
    config = run_directory.read_config(run_dir).options
    assert (config.norm, config.upsampling) == ("affine", "resize")
    (generator,) = generators.load_generators(run_dir).values()
    np.testing.assert_array_equal(generator(IMAGES), output(tensors))


def test_channels_other_than_three_go_there_and_back(tmp_path):
    # What --input_nc 1 and --output_nc 4 make of their networks.
    models = [
        (tmp_path / name, parity.generator_weights(2, 1, 1, *channels))
        for name, channels in (("A", (1, 4)), ("B", (4, 1)))
    ]
    run_dir = import_models(models, tmp_path / "run", "unknown")
    recorded = run_directory.read_config(run_dir)
    assert recorded.domains == Domains(Domain(channels=1), Domain(channels=4))
    made = generators.load_generators(run_dir).values()
    shapes = [(x.input_shape[-1], x.output_shape[-1]) for x in made]
    assert shapes == [(1, 4), (4, 1)]
    returned = export_models(run_dir).values()
    for (_, given), back in zip(models, returned, strict=True):
        for name in ("model.1.weight", "model.18.weight", "model.18.bias"):
            np.testing.assert_array_equal(back[name], given[name])


OTHER_MODELS = [((3, 2, 1), "has 3 filters, 2 "), ((2, 1, 1, 1, 3), "1 channels in")]


@pytest.mark.parametrize("second, problem", OTHER_MODELS)
def test_second_model_must_be_alike_and_lead_back(files, tmp_path, second, problem):
    other = files[1][0], parity.generator_weights(*second)
    with pytest.raises(InputError, match=f"has 2 filters, 1 .*{problem}.*lead back"):
        import_models([files[0], other], tmp_path / "new", "unknown")


def test_one_file_is_one_direction(files, tmp_path):
    run_dir = import_models(files[:1], tmp_path / "new", "unknown")
    assert list(generators.load_generators(run_dir)) == ["a_to_b"]


def test_directory_that_exists_is_left_alone(files, tmp_path):
    with pytest.raises(InputError, match="exists; choose a new directory"):
        import_models(files, tmp_path, "unknown")


def test_imported_run_cannot_be_continued(files, tmp_path):
    run_dir = import_models(files, tmp_path / "new", "unknown")
    config = tiny_config(tmp_path, run_dir=str(run_dir))
    with pytest.raises(InputError, match="imported models.*--init-from"):
        run_directory.require_same_options(run_dir, config)


def test_weights_survive_the_way_there_and_back(files, tmp_path):
    run_dir = import_models(files, tmp_path / "run", "unknown")
    written = export_models(run_dir)
    assert list(written) == [path.name for path, _ in files]
    for (_, tensors), back in zip(files, written.values(), strict=True):
        assert list(back) == list(tensors)
        for name, tensor in tensors.items():
            is_cancelled = name.endswith("bias") and name != "model.18.bias"
            expected = np.zeros_like(tensor) if is_cancelled else tensor
            np.testing.assert_array_equal(back[name], expected)
        np.testing.assert_array_equal(output(back), output(tensors))


@pytest.mark.parametrize("number", [0, 3])
def test_one_or_two_files_are_needed(tmp_path, capsys, number):
    done = run_here(capsys, "import", *(["x.pth"] * number), "--run-dir", tmp_path)
    assert_one_line_error(done, f"takes one or two .pth files, got {number}")


def test_missing_pytorch_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "x.pth").touch()
    with pytest.raises(InputError, match="x.pth: .* need PyTorch; .*'.\\[torch\\]'"):
        read_tensors(tmp_path / "x.pth")


# Training on.


def open_earlier(run_dir, tmp_path, **options):
    config = tiny_config(tmp_path, init_from=str(run_dir), **options)
    return first_state.open_origins(config, tmp_path / "of the new run")


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"filters": 3}, r"needs --filters 2 \(not 3\)\."),
        ({"residual_blocks": 2}, r"needs --residual-blocks 1 \(not 2\)\."),
        ({"filters": 4, "residual_blocks": 0}, "--filters 2 .*, --residual-blocks 1"),
        ({"upsampling": "resize"}, r"needs --upsampling transpose \(not resize\)\."),
        ({"norm": "plain"}, r"needs --norm affine \(not plain\)"),
    ],
)
def test_other_architecture_is_named(files, tmp_path, options, problem):
    if "norm" in options:
        files = [(path, with_norms(tensors)) for path, tensors in files]
    run_dir = import_models(files, tmp_path / "new", "unknown")
    with pytest.raises(InputError, match=problem):
        open_earlier(run_dir, tmp_path, **options)


def test_mobile_generator_is_not_asked_for_what_it_has_not(tiny_run):
    earlier = tiny_run("earlier", generator="mobile", generator_filters=1)
    generator = new_generator(earlier, Domains(), "a_to_b")
    others = {"generator": "mobile", "norm": "plain", "upsampling": "resize"}
    given = {"init_from": str(write_run(earlier, {"a_to_b": generator}))}
    config = tiny_run(generator_filters=1, **others, **given)
    assert first_state.open_origins(config, None).earlier


@pytest.mark.parametrize("norm", ["plain", "affine"])
def test_run_starts_from_imported_generators(files, tmp_path, tiny_run, norm):
    from cyclegan_tf.model.building import build_model

    run_dir = import_models(files, tmp_path / "imported", "unknown")
    model = build_model(tiny_run(norm=norm), Domains(), 4)
    first_state.start_generators(RunDir.open(run_dir), model)
    for (_, tensors), generator in zip(files, model.generators.values(), strict=True):
        expected = output(tensors)
        np.testing.assert_allclose(generator(IMAGES), expected, atol=1e-6)
        norms = [x for x in generator.layers if isinstance(x, InstanceNormalization)]
        assert all(bool(x.weights) == (norm == "affine") for x in norms)


@pytest.mark.slow
def test_fine_tuning_resumes_to_the_same_bits(files, tmp_path, tiny_data_dir, capsys):
    imported = import_models(files[:1], tmp_path / "imported", "unknown")
    arguments = flags(TINY | {"data_dir": tiny_data_dir, "init_from": imported})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = run_here(capsys, "train", *arguments, "--run-dir", whole)
    assert done.returncode == 0, done.stderr
    assert "a_to_b starts from trained weights" in done.stderr
    assert "b_to_a starts from fresh weights" in done.stderr
    start = np.load(whole / "checkpoints/step-000000000.npz")
    kernel = files[0][1]["model.1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(start["gen_ab/stem/kernel"], kernel)

    # Cut after one epoch; the earlier run is not needed any more.
    for name in ("config.json", "checkpoints/step-000000004.npz"):
        (cut / name).parent.mkdir(parents=True, exist_ok=True)
        (cut / name).write_bytes((whole / name).read_bytes())
    imported.rename(tmp_path / "elsewhere")
    done = run_here(capsys, "train", *arguments, "--run-dir", cut)
    assert done.returncode == 0, done.stderr
    assert "starts from" not in done.stderr
    last = "checkpoints/step-000000008.npz"
    assert_same_checkpoint(whole / last, cut / last)


def test_start_that_does_not_fit_leaves_no_run(files, tmp_path, tiny_data_dir, capsys):
    imported = import_models(files, tmp_path / "imported", "unknown")
    options = TINY | {"data_dir": tiny_data_dir, "init_from": imported, "filters": 5}
    run_dir = tmp_path / "run"
    done = run_here(capsys, "train", *flags(options), "--run-dir", run_dir)
    assert_one_line_error(done, "--init-from", "--filters 2 (not 5)")
    assert not (run_dir / "config.json").exists()
