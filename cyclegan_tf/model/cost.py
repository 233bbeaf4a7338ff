"""What a generator costs, by its arithmetic."""

import keras
from keras import layers


def multiply_adds(network: keras.Model, height: int, width: int) -> int:
    """Multiplications, each with an addition, of the convolutions for one image.

    All else, such as normalizations, is a few operations per value. The image has
    `height` times `width` pixels.
    """
    image = keras.Input((height, width, network.input_shape[-1]))
    total = 0
    for layer in keras.models.clone_model(network, input_tensors=image).layers:
        # Each place of the smaller side meets each weight of the kernel once.
        match layer:
            case layers.Conv2DTranspose():
                place = layer.input.shape
            case layers.Conv2D() | layers.DepthwiseConv2D():
                place = layer.output.shape
            case _:
                continue
        total += place[1] * place[2] * layer.kernel.shape.num_elements()
    return total


def floats_per_pixel(generator: keras.Model) -> int:
    """Numbers that a generator's largest layer has for each pixel of the image."""
    stem = generator.get_layer("stem")
    return max(stem.filters // stem.strides[0] ** 2, generator.output_shape[-1])
