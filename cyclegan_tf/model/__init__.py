"""The networks, the losses, and the `keras.Model` that trains them.

from cyclegan_tf.model import CycleGAN, build_generator, build_discriminator, ImagePool
"""

from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.layers import InstanceNormalization, ReflectionPadding2D
from cyclegan_tf.model.networks import build_discriminator, build_generator
from cyclegan_tf.model.optimizers import Adam, LinearDecay
