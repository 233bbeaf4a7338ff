import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.config import architectures
from cyclegan_tf.model import networks
from cyclegan_tf.model.layers import (
    InstanceNormalization,
    ReflectionPadding2D,
)
from cyclegan_tf.model.networks import build_discriminator, build_generator

# Recorded from tensorflow-addons 0.23.0 under TensorFlow 2.15.1 by
#   layer = tfa.layers.InstanceNormalization(epsilon=1e-5)
#   layer(x); layer.set_weights([gamma, beta]); layer(x)
# on the inputs that `instance_norm_inputs` makes.
TFA_OUTPUTS = [
    0.132104, 1.495617, -0.338598, 2.699332, 0.922463, 1.713231,
    -1.599376, 2.659133, 1.173530, 2.077250, -2.327926, 2.388216,
    1.594222, 2.269068, -1.776427, 1.835894, 2.243615, 2.254158,
    -0.344378, 1.286135, 2.384644, 2.243976, 0.936127, 1.077990,
    -0.042034, 2.733705, 0.063049, 1.602264, -1.405274, 2.770030,
    0.551823, 1.857208, -2.142630, 2.472496, 1.430782, 1.954249,
    -1.708276, 1.867249, 2.412028, 1.955618, -0.642775, 1.300896,
    2.614916, 2.076929, 0.194453, 1.081738, 1.673938, 2.327618,
]  # fmt: skip


def instance_norm_inputs():
    """Input `(2, 3, 4, 2)`, scale and offset, from arithmetic alone."""
    i = np.arange(48, dtype=np.float64)
    x = np.sin(i * 1.7) * 3 + np.cos(i * 0.3) + i / 10
    scale, offset = np.array([1.5, -0.5]), np.array([0.25, 2.0])
    return x.reshape(2, 3, 4, 2).astype(np.float32), scale, offset


def normalized_longhand(x, scale, offset, epsilon=1e-5):
    x = x.astype(np.float64)
    out = np.empty_like(x)
    for image in range(x.shape[0]):
        for channel in range(x.shape[3]):
            plane = x[image, :, :, channel]
            mean = plane.sum() / plane.size
            variance = ((plane - mean) ** 2).sum() / plane.size
            out[image, :, :, channel] = (plane - mean) / np.sqrt(variance + epsilon)
    return out * scale + offset


def instance_norm(x, scale, offset):
    layer = InstanceNormalization()
    layer.build(x.shape)
    layer.set_weights([scale, offset])
    return layer(x).numpy()


def test_instance_norm_equals_longhand_and_tensorflow_addons():
    x, scale, offset = instance_norm_inputs()
    outputs = instance_norm(x, scale, offset)
    expected = normalized_longhand(x, scale, offset)
    np.testing.assert_allclose(outputs, expected, atol=2e-6)
    np.testing.assert_allclose(outputs.ravel(), TFA_OUTPUTS, atol=2e-6)
    # A plain one has neither.
    layer = InstanceNormalization(affine=False)
    np.testing.assert_allclose(layer(x), normalized_longhand(x, 1, 0), atol=2e-6)
    assert not layer.weights


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_fused_instance_norm_equals_the_plain_one(affine, dtype):
    compute = dtype.removeprefix("mixed_")
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(3, 2, (3, 7, 5, 4)), compute)
    arriving = tf.constant(rng.normal(size=images.shape), compute)
    results = []
    for fused in (False, True):
        layer = InstanceNormalization(affine=affine, dtype=dtype)
        layer.build(images.shape)
        layer.fused = fused
        if affine:
            layer.set_weights([np.arange(4) + 0.5, np.arange(4) - 2.0])
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(images)
            normalized = layer(images, training=True)
        gradients = tape.gradient(normalized, [images, *weights], arriving)
        assert normalized.dtype == images.dtype
        results.append([tf.cast(x, tf.float32) for x in (normalized, *gradients)])
    # Of numbers around 1; the weights' gradients are sums over 105 of them.
    atol = {"float32": 1e-5, "bfloat16": 0.1, "float16": 0.02}[compute]
    for plain, fused in zip(*results, strict=True):
        np.testing.assert_allclose(fused, plain, atol=atol)


def test_reflection_padding_equals_numpy():
    x = np.arange(2 * 5 * 4 * 3, dtype=np.float32).reshape(2, 5, 4, 3)
    expected = np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(ReflectionPadding2D(3)(x), expected)


def test_strided_convolution_pads_one_pixel_on_every_side():
    generator = build_generator(filters=1, num_residual_blocks=0)
    pad, conv = generator.get_layer("down1_pad"), generator.get_layer("down1")
    x = np.random.default_rng(0).normal(size=(1, 6, 8, 1)).astype(np.float32)
    kernel = conv.get_weights()[0]  # (3, 3, 1, 2)
    padded = np.pad(x[0, :, :, 0], 1)
    expected = np.empty((3, 4, 2))
    for row in range(3):
        for column in range(4):
            window = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected[row, column] = np.einsum("yx,yxo->o", window, kernel[:, :, 0])
    np.testing.assert_allclose(conv(pad(x))[0], expected, atol=1e-6)


def test_transposed_convolution_keeps_rows_one_to_two_n():
    generator = build_generator(filters=1, num_residual_blocks=0)
    conv, crop = generator.get_layer("up2"), generator.get_layer("up2_crop")
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 2)).astype(np.float32)
    kernel = conv.get_weights()[0]  # (3, 3, 1, 2): outputs before inputs
    full = np.zeros((7, 9))
    for row in range(3):
        for column in range(4):
            stamp = np.einsum("yxi,i->yx", kernel[:, :, 0], x[0, row, column])
            full[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += stamp
    result = crop(conv(x))[0, :, :, 0]
    np.testing.assert_allclose(result, full[1:, 1:], atol=1e-6)


def test_resize_upsampling_repeats_pads_and_convolves():
    generator = build_generator(1, 0, upsampling="resize")
    layers = [generator.get_layer(f"up2{part}") for part in ("_repeat", "_pad", "")]
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 2)).astype(np.float32)
    kernel = layers[2].get_weights()[0]  # (3, 3, 2, 1)
    repeated = np.repeat(np.repeat(x[0], 2, axis=0), 2, axis=1)
    padded = np.pad(repeated, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    expected = np.empty((6, 8))
    for row in range(6):
        for column in range(8):
            window = padded[row : row + 3, column : column + 3]
            expected[row, column] = np.sum(window * kernel[..., 0])
    result = layers[2](layers[1](layers[0](x)))
    np.testing.assert_allclose(result[0, :, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "build, options, known",
    [
        (build_generator, {"upsampling": "cubic"}, "transpose"),
        (build_generator, {"norm": "batch"}, "norm must be 'affine' or 'plain'"),
        (build_discriminator, {"norm": "batch"}, "norm must be 'affine' or 'plain'"),
        (build_discriminator, {"kind": "patch16"}, "patch46"),
    ],
)
def test_unknown_forms_are_refused(build, options, known):
    with pytest.raises(ValueError, match=known):
        build(**options)


@pytest.mark.parametrize("size", [(8, 8), (16, 28), (64, 32)])
@pytest.mark.parametrize("blocks, kind", [(0, "transpose"), (2, "resize")])
def test_generator_keeps_any_size_that_is_a_multiple_of_four(size, blocks, kind):
    generator = build_generator(2, blocks, upsampling=kind)
    out = generator(np.zeros((2, *size, 3), np.float32))
    assert out.shape == (2, *size, 3)


def test_generator_output_is_in_unit_range():
    generator = build_generator(2, 1)
    for variable in generator.trainable_variables:
        variable.assign(variable * 50)
    out = generator(np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)))
    assert np.abs(out).max() <= 1.0


def test_attentive_generator_begins_near_to_no_change():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 20, 3)).astype(np.float32)
    change = np.abs(build_generator(16, 3, has_attention=True)(images) - images)
    assert 0 < change.mean() * 127.5 < 8  # grey levels


@pytest.mark.parametrize("mask", [0.0, 0.25, 1.0])
def test_attentive_generator_changes_by_what_it_draws_where_its_mask_says(mask):
    generator = build_generator(2, 0, has_attention=True)
    for name, value in (
        ("head", 0.5),
        ("mask", np.log((mask + 1e-9) / (1 - mask + 1e-9))),
    ):
        kernel, bias = generator.get_layer(name).get_weights()
        generator.get_layer(name).set_weights([0 * kernel, bias + value])
    images = np.linspace(-1, 1, 16 * 16 * 3, dtype=np.float32).reshape(1, 16, 16, 3)
    changed = np.tanh(np.arctanh(np.clip(images, -0.98, 0.98)) + 0.5)
    expected = (1 - mask) * images + mask * changed
    np.testing.assert_allclose(generator(images), expected, atol=1e-5)


def test_attentive_generator_of_other_channels_has_nothing_to_change():
    generator = build_generator(2, 0, channels=5, out_channels=1, has_attention=True)
    assert "mask" not in [layer.name for layer in generator.layers]
    assert generator(np.zeros((1, 16, 16, 5), np.float32)).shape == (1, 16, 16, 1)


@pytest.mark.parametrize("kind, scores", [("patch46", 31), ("patch70", 30)])
def test_discriminator_scores_per_patch_at_256(kind, scores):
    discriminator = build_discriminator(kind, filters=2)
    assert discriminator(np.zeros((1, 256, 256, 3))).shape == (1, scores, scores, 1)


@pytest.mark.parametrize("kind", architectures.DISCRIMINATORS)
def test_least_side_is_the_first_that_is_scored(kind):
    discriminator = build_discriminator(kind.name, filters=2)

    def scores_along(side):
        # As a step is traced: eager convolutions take what is too small, too.
        images = keras.KerasTensor((1, side, 64, 3), "float32")
        return discriminator.compute_output_spec(images).shape[1]

    side, multiple = kind.least_side, architectures.SIDE_MULTIPLE
    assert scores_along(side) >= 1
    with pytest.raises(ValueError, match="shape"):
        scores_along(side - multiple)


def test_two_scales_are_two_discriminators_of_equal_weight():
    both = build_discriminator("two-scale", filters=2)
    fine, half = (build_discriminator("patch46", filters=2) for _ in range(2))
    for part, prefix in ((fine, ""), (half, "half_")):
        for layer in part.layers:
            if layer.weights:
                both.get_layer(prefix + layer.name).set_weights(layer.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 96, 3)).astype("float32")
    halved = images.reshape(2, 32, 2, 48, 2, 3).mean((2, 4))
    expected = [fine(images).numpy(), half(halved).numpy().repeat(2, 1).repeat(2, 2)]
    expected = np.concatenate([x.reshape(2, -1, 1) for x in expected], axis=1)
    np.testing.assert_allclose(both(images), expected, atol=1e-6)


@pytest.mark.parametrize("kind, field", [("patch46", 46), ("patch70", 70)])
def test_receptive_field(kind, field):
    # Instance norm would spread every pixel over the whole image: leave it out.
    discriminator = keras.models.clone_model(
        build_discriminator(kind, filters=2),
        clone_function=lambda layer: (
            keras.layers.Identity(name=layer.name)
            if isinstance(layer, InstanceNormalization)
            else layer.__class__.from_config(layer.get_config())
        ),
    )
    for variable in discriminator.trainable_variables:
        variable.assign(tf.abs(variable))
    images = tf.zeros((1, 160, 160, 3)) + 0.1
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = discriminator(images)
        middle = scores[0, scores.shape[1] // 2, scores.shape[2] // 2, 0]
    reached = np.argwhere(tape.gradient(middle, images).numpy().any(axis=(0, 3)))
    extent = reached.max(axis=0) - reached.min(axis=0) + 1
    assert extent.tolist() == [field, field]


def test_stages_are_what_comes_out_of_each():
    discriminator = build_discriminator(filters=2)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    stages = networks.stages_of(discriminator)(images)
    assert [x.shape[1:] for x in stages] == [(16, 16, 2), (8, 8, 4), (4, 4, 8)]
    padded = discriminator.get_layer("scores_pad")(stages[-1])
    scores = discriminator.get_layer("scores_conv")(padded)
    np.testing.assert_array_equal(scores, discriminator(images))


def norm_channels(model):
    return sum(
        layer.scale.shape[0]
        for layer in model.layers
        if isinstance(layer, InstanceNormalization)
    )


@pytest.mark.parametrize(
    "build, reference",
    [
        # Authors' networks: a bias in every convolution, no scale, no offset.
        (lambda: build_generator(64, 9), 11_378_179),
        (lambda: build_discriminator("patch70", 64), 2_764_737),
    ],
)
def test_parameters_of_the_full_size_networks(build, reference):
    model = build()
    # Ours: per normalized channel a scale and an offset in the place of one bias.
    assert model.count_params() == reference + norm_channels(model)


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_plain_norms_are_an_option_by_name(build):
    assert all(
        not layer.affine
        for layer in build(norm="plain").layers
        if isinstance(layer, InstanceNormalization)
    )


def test_initial_weights_are_gaussian_of_two_hundredths():
    generator = build_generator(64, 1)
    for layer in generator.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            kernel = layer.get_weights()[0]
            assert kernel.std() == pytest.approx(0.02, rel=0.05)
            assert abs(kernel.mean()) < 2e-3
    assert not generator.get_layer("head").get_weights()[1].any()


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_generator(2, 1),
        lambda: build_generator(2, 1, norm="plain"),
        lambda: build_generator(2, 1, upsampling="resize"),
        lambda: build_generator(2, 1, has_attention=True),
        build_discriminator,
    ],
)
def test_networks_survive_saving(build, tmp_path):
    network = build()
    x = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    network.save(tmp_path / "network.keras")
    restored = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(restored(x), network(x))


@pytest.mark.parametrize("build", [lambda: build_generator(2, 1), build_discriminator])
def test_networks_end_in_float32_in_half_precision(build):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = build()
    finally:
        keras.config.set_dtype_policy("float32")
    out = network(np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)))
    assert out.dtype == tf.float32
    assert np.isfinite(out).all()
