"""What a generator costs, by its arithmetic."""

import keras
from keras import layers


def multiply_adds(network: keras.Model, height: int, width: int) -> int:
    """Multiplications, each with an addition, of the convolutions for one image.

    All else, such as normalizations, is a few operations per value.

    Args:
        network: a generator or a discriminator.
        height, width: of the image in pixels.
    """
    image = keras.Input((height, width, network.input_shape[-1]))
    of_this_size = keras.models.clone_model(network, input_tensors=image)
    return sum(map(_multiply_adds, of_this_size.layers))


def _multiply_adds(layer):
    # Each place of the smaller side meets each weight of the kernel once.
    match layer:
        case layers.Conv2DTranspose():
            place = layer.input.shape
        case layers.Conv2D() | layers.DepthwiseConv2D():
            place = layer.output.shape
        case _:
            return 0
    return place[1] * place[2] * layer.kernel.shape.num_elements()


def floats_per_pixel(generator: keras.Model) -> int:
    """Numbers that a generator's largest layer has for each pixel of the image."""
    stem = generator.get_layer("stem")
    return max(stem.filters // stem.strides[0] ** 2, generator.output_shape[-1])
