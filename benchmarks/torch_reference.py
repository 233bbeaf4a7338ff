"""CycleGAN in PyTorch: the oracle of the parity tests, and a contestant in benchmarks.

Written from the paper and from how its authors' program (pytorch-CycleGAN-and-pix2pix)
behaves, to be read beside it: the layers stand in one `nn.Sequential` in the authors'
order, so that state dicts have the names of their files. It needs PyTorch (`pip install
-e ".[reference]"`); nothing in `cyclegan_tf` imports it.

    model = TorchCycleGAN()
    losses = model.step(real_a, real_b)     # (batch, 3, height, width) in [-1, 1]

Source: Zhu et al. 2017, arXiv:1703.10593. Domains and losses are called as in
`cyclegan_tf.model.cyclegan`; there are two discriminators to choose from, as there.
"""

import itertools
import random

import torch
from torch import nn
from torch.nn import functional

WEIGHT_STDDEV = 0.02
LEAKY_SLOPE = 0.2
STRIDES = {"patch46": (2, 2, 2), "patch70": (2, 2, 2, 1)}


class Generator(nn.Module):
    """The ResNet generator: `(batch, 3, height, width)` in [-1, 1] to the same.

    Args:
        filters: channels of the first convolution.
        num_residual_blocks: 9 for images from 256 px on, 6 below.
    """

    def __init__(self, filters=64, num_residual_blocks=9):
        super().__init__()
        n = filters
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3),
            *_normalized(nn.Conv2d(3, n, 7)),
            *_normalized(nn.Conv2d(n, 2 * n, 3, stride=2, padding=1)),
            *_normalized(nn.Conv2d(2 * n, 4 * n, 3, stride=2, padding=1)),
            *(_ResidualBlock(4 * n) for _ in range(num_residual_blocks)),
            *_normalized(nn.ConvTranspose2d(4 * n, 2 * n, 3, 2, 1, output_padding=1)),
            *_normalized(nn.ConvTranspose2d(2 * n, n, 3, 2, 1, output_padding=1)),
            nn.ReflectionPad2d(3),
            nn.Conv2d(n, 3, 7),
            nn.Tanh(),
        )
        _initialize(self)

    def forward(self, images):
        """Translates images."""
        return self.model(images)


class _ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_normalized(nn.Conv2d(channels, channels, 3)),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x):
        return x + self.conv_block(x)


class Discriminator(nn.Module):
    """The PatchGAN discriminator: images to patch scores `(batch, 1, rows, columns)`.

    Args:
        kind: "patch70", the authors', or "patch46", with one stage less.
        filters: channels of the first convolution.
    """

    def __init__(self, kind="patch70", filters=64):
        super().__init__()
        layers = []
        channels = 3
        for i, stride in enumerate(STRIDES[kind]):
            layers.append(nn.Conv2d(channels, filters * 2**i, 4, stride, padding=1))
            channels = filters * 2**i
            if i:
                layers.append(nn.InstanceNorm2d(channels))
            layers.append(nn.LeakyReLU(LEAKY_SLOPE))
        self.model = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, padding=1))
        _initialize(self)

    def forward(self, images):
        """Scores patches: 1 is real, 0 is fake."""
        return self.model(images)


class ImagePool:
    """A history of fakes, image by image.

    Args:
        size: number of images kept; 0 switches the pool off.
        seed: of its own draws.
    """

    def __init__(self, size=50, seed=0):
        self.size, self.images = size, []
        self.random = random.Random(seed)

    def query(self, fakes, draws=None):
        """The images to show to the discriminator instead of `fakes`.

        Args:
            fakes: `(batch, 3, height, width)`.
            draws: two numbers in [0, 1) per fake, in place of the pool's own: which
                stored image, and whether it is returned (below 1/2).
        """
        if self.size == 0:
            return fakes
        answers = []
        for i, fake in enumerate(fakes):
            if len(self.images) < self.size:
                self.images.append(fake.clone())
                answers.append(fake)
                continue
            place, coin = draws[i] if draws is not None else self._draw()
            if coin < 0.5:
                place = int(place * self.size)
                answers.append(self.images[place])
                self.images[place] = fake.clone()
            else:
                answers.append(fake)
        return torch.stack(answers)

    def _draw(self):
        return self.random.random(), self.random.random()


class TorchCycleGAN:
    """Four networks, two optimizers, two pools, and the training step.

    Args:
        filters, num_residual_blocks, discriminator: of the networks.
        pool_size: images per pool.
        learning_rate: of both Adams.
        cycle_weight, identity_weight: of each such loss.
        device: where it runs.
    """

    def __init__(
        self,
        filters=64,
        num_residual_blocks=9,
        discriminator="patch70",
        pool_size=50,
        learning_rate=2e-4,
        cycle_weight=10.0,
        identity_weight=5.0,
        device="cpu",
    ):
        self.gen_ab = Generator(filters, num_residual_blocks).to(device)
        self.gen_ba = Generator(filters, num_residual_blocks).to(device)
        self.disc_a = Discriminator(discriminator, filters).to(device)
        self.disc_b = Discriminator(discriminator, filters).to(device)
        self.pool_a, self.pool_b = ImagePool(pool_size, 1), ImagePool(pool_size, 2)
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        adam = {"lr": learning_rate, "betas": (0.5, 0.999), "eps": 1e-8}
        self.generator_optimizer = torch.optim.Adam(
            itertools.chain(self.gen_ab.parameters(), self.gen_ba.parameters()), **adam
        )
        self.discriminator_optimizer = torch.optim.Adam(
            itertools.chain(self.disc_a.parameters(), self.disc_b.parameters()), **adam
        )

    @property
    def networks(self):
        """The four networks by name."""
        names = ("gen_ab", "gen_ba", "disc_a", "disc_b")
        return {name: getattr(self, name) for name in names}

    def step(self, real_a, real_b, draws_a=None, draws_b=None):
        """One training step.

        Args:
            real_a, real_b: `(batch, 3, height, width)` in [-1, 1].
            draws_a, draws_b: of the pools, see `ImagePool.query`.

        Returns:
            The eight losses by name, unweighted, as scalar tensors.
        """
        # Generators; the discriminators judge, and do not learn from it.
        self._let_discriminators_learn(False)
        self.generator_optimizer.zero_grad()
        losses, (fake_a, fake_b) = self.generator_losses(real_a, real_b)
        self.generator_objective(losses).backward()
        self.generator_optimizer.step()

        # Discriminators, on the fakes from before that update.
        self._let_discriminators_learn(True)
        self.discriminator_optimizer.zero_grad()
        pooled_a = self.pool_a.query(fake_a.detach(), draws_a)
        pooled_b = self.pool_b.query(fake_b.detach(), draws_b)
        losses |= self.discriminator_losses(real_a, real_b, pooled_a, pooled_b)
        (losses["D_A"] + losses["D_B"]).backward()
        self.discriminator_optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def generator_losses(self, real_a, real_b):
        """The six generator losses by name, unweighted, and `(fake_a, fake_b)`."""
        fake_b, fake_a = self.gen_ab(real_a), self.gen_ba(real_b)
        losses = {
            "G_A": _distance_to(1, self.disc_b(fake_b)),
            "G_B": _distance_to(1, self.disc_a(fake_a)),
            "cycle_A": functional.l1_loss(self.gen_ba(fake_b), real_a),
            "cycle_B": functional.l1_loss(self.gen_ab(fake_a), real_b),
            "identity_A": functional.l1_loss(self.gen_ab(real_b), real_b),
            "identity_B": functional.l1_loss(self.gen_ba(real_a), real_a),
        }
        return losses, (fake_a, fake_b)

    def generator_objective(self, losses):
        """The weighted sum of the six generator losses."""
        cycle = losses["cycle_A"] + losses["cycle_B"]
        identity = losses["identity_A"] + losses["identity_B"]
        weighted = self.cycle_weight * cycle + self.identity_weight * identity
        return losses["G_A"] + losses["G_B"] + weighted

    def discriminator_losses(self, real_a, real_b, pooled_a, pooled_b):
        """The two discriminator losses by name, on real images and pooled fakes."""
        pairs = {
            "D_A": (self.disc_a(real_a), self.disc_a(pooled_a)),
            "D_B": (self.disc_b(real_b), self.disc_b(pooled_b)),
        }
        return {
            name: (_distance_to(1, real) + _distance_to(0, fake)) / 2
            for name, (real, fake) in pairs.items()
        }

    def _let_discriminators_learn(self, learn):
        self.disc_a.requires_grad_(learn)
        self.disc_b.requires_grad_(learn)


def _normalized(convolution):
    norm = nn.InstanceNorm2d(convolution.out_channels)  # epsilon 1e-5, no parameters
    return convolution, norm, nn.ReLU()


def _initialize(network):
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, WEIGHT_STDDEV)
            nn.init.zeros_(module.bias)


def _distance_to(target, scores):
    return ((scores - target) ** 2).mean()
