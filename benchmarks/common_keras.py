"""CycleGAN as it is commonly written in Keras: a contestant of `train_step.py`.

Own code in the manner of tutorials: `GroupNormalization` for instance normalization, a
pass of its own for every use of a network, one persistent tape, four optimizers, one
`tf.function`. The networks are those of `cyclegan_tf`, and so are the losses.
"""

import random

import keras
import tensorflow as tf
from keras import layers

from cyclegan_tf.model.layers import ReflectionPadding2D

ADAM = {"learning_rate": 2e-4, "beta_1": 0.5}


def normalized(x, activation=None):
    """Instance normalization by `GroupNormalization`, and an activation."""
    x = layers.GroupNormalization(groups=-1, epsilon=1e-5)(x)
    return activation()(x) if activation else x


def build_generator(filters, num_residual_blocks):
    """The ResNet generator."""
    inputs = x = keras.Input((None, None, 3))
    x = layers.Conv2D(filters, 7, use_bias=False)(ReflectionPadding2D(3)(x))
    x = normalized(x, layers.ReLU)
    for factor in (2, 4):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(factor * filters, 3, 2, use_bias=False)(x)
        x = normalized(x, layers.ReLU)
    for _ in range(num_residual_blocks):
        y = layers.Conv2D(4 * filters, 3, use_bias=False)(ReflectionPadding2D(1)(x))
        y = ReflectionPadding2D(1)(normalized(y, layers.ReLU))
        x = x + normalized(layers.Conv2D(4 * filters, 3, use_bias=False)(y))
    for factor in (2, 1):
        x = layers.Conv2DTranspose(
            factor * filters, 3, 2, padding="same", use_bias=False
        )(x)
        x = normalized(x, layers.ReLU)
    x = layers.Conv2D(3, 7, activation="tanh")(ReflectionPadding2D(3)(x))
    return keras.Model(inputs, x)


def build_discriminator(filters):
    """The PatchGAN discriminator of 64-128-256 channels."""
    inputs = x = keras.Input((None, None, 3))
    for i in range(3):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(filters * 2**i, 4, 2, use_bias=i == 0)(x)
        x = layers.LeakyReLU(0.2)(normalized(x) if i else x)
    x = layers.Conv2D(1, 4)(layers.ZeroPadding2D(1)(x))
    return keras.Model(inputs, x)


class Pool:
    """A Python list of fakes."""

    def __init__(self, size=50):
        self.size, self.images = size, []
        self.random = random.Random(0)

    def query(self, fake):
        """The fake, or half the time, once it is full, an earlier one instead."""
        if len(self.images) < self.size:
            self.images.append(fake)
            return fake
        if self.random.random() < 0.5:
            return fake
        place = self.random.randrange(self.size)
        self.images[place], earlier = fake, self.images[place]
        return earlier


class CommonCycleGAN:
    """Four networks, four optimizers, and the step in two halves around the pools."""

    def __init__(self, filters, num_residual_blocks):
        self.gen_ab = build_generator(filters, num_residual_blocks)
        self.gen_ba = build_generator(filters, num_residual_blocks)
        self.disc_a, self.disc_b = (build_discriminator(filters) for _ in range(2))
        self.networks = self.gen_ab, self.gen_ba, self.disc_a, self.disc_b
        self.optimizers = [keras.optimizers.Adam(**ADAM) for _ in self.networks]
        for network, optimizer in zip(self.networks, self.optimizers, strict=True):
            optimizer.build(network.trainable_variables)
        self.pool_a, self.pool_b = Pool(), Pool()

    def step(self, real_a, real_b):
        """One training step; returns the eight losses."""
        losses, fake_a, fake_b = self.generators_step(real_a, real_b)
        pooled = self.pool_a.query(fake_a), self.pool_b.query(fake_b)
        return losses + self.discriminators_step(real_a, real_b, *pooled)

    @tf.function
    def generators_step(self, real_a, real_b):
        """Updates both generators."""
        with tf.GradientTape(persistent=True) as tape:
            fake_b = self.gen_ab(real_a, training=True)
            cycled_a = self.gen_ba(fake_b, training=True)
            fake_a = self.gen_ba(real_b, training=True)
            cycled_b = self.gen_ab(fake_a, training=True)
            same_a = self.gen_ba(real_a, training=True)
            same_b = self.gen_ab(real_b, training=True)
            g_a = tf.reduce_mean((self.disc_b(fake_b, training=True) - 1) ** 2)
            g_b = tf.reduce_mean((self.disc_a(fake_a, training=True) - 1) ** 2)
            cycle_a = tf.reduce_mean(tf.abs(real_a - cycled_a))
            cycle_b = tf.reduce_mean(tf.abs(real_b - cycled_b))
            identity_a = tf.reduce_mean(tf.abs(real_b - same_b))
            identity_b = tf.reduce_mean(tf.abs(real_a - same_a))
            cycle = 10 * (cycle_a + cycle_b)
            loss_ab = g_a + cycle + 5 * identity_a
            loss_ba = g_b + cycle + 5 * identity_b
        self._apply(tape, (loss_ab, loss_ba), slice(0, 2))
        losses = g_a, g_b, cycle_a, cycle_b, identity_a, identity_b
        return losses, fake_a, fake_b

    @tf.function
    def discriminators_step(self, real_a, real_b, fake_a, fake_b):
        """Updates both discriminators."""
        with tf.GradientTape(persistent=True) as tape:
            losses = [
                0.5
                * (
                    tf.reduce_mean((disc(real, training=True) - 1) ** 2)
                    + tf.reduce_mean(disc(fake, training=True) ** 2)
                )
                for disc, real, fake in (
                    (self.disc_a, real_a, fake_a),
                    (self.disc_b, real_b, fake_b),
                )
            ]
        self._apply(tape, losses, slice(2, 4))
        return tuple(losses)

    def _apply(self, tape, losses, which):
        for loss, network, optimizer in zip(
            losses, self.networks[which], self.optimizers[which], strict=True
        ):
            variables = network.trainable_variables
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
