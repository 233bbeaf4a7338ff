"""The architectures of generators and discriminators, an entry each.

Help, choices and checks of sizes follow from them; `model.networks` builds each.
"""

from typing import Literal, NamedTuple

# Of images that generators take: all halve the sides twice.
SIDE_MULTIPLE = 4


class GeneratorKind(NamedTuple):
    """An architecture of generators.

    Attributes:
        name: of `--generator`.
        meaning: for the help.
        options: of a run that it is built by, besides its channels and its blocks.
    """

    name: str
    meaning: str
    options: tuple[str, ...] = ()


class DiscriminatorKind(NamedTuple):
    """An architecture of PatchGAN discriminators.

    Attributes:
        name: of `--discriminator`.
        meaning: for the help.
        strides: of its stages of 4x4 convolutions, before that of the scores.
        least_side: the smallest side of an image, in pixels, that gives a score at all.
        has_half_scale: a second one of the kind judges the image at half its size.
    """

    name: str
    meaning: str
    strides: tuple[int, ...]
    least_side: int
    has_half_scale: bool = False


GENERATORS = (
    GeneratorKind("resnet", "the paper's", ("norm", "upsampling")),
    GeneratorKind(
        "attention",
        "the same with a mask of where to change the image, which it begins with",
        ("norm", "upsampling"),
    ),
    GeneratorKind(
        "mobile",
        "one of separable convolutions for phones: --filters are then a quarter of "
        "its channels",
    ),
)
DISCRIMINATORS = (
    DiscriminatorKind("patch46", "PatchGAN of 64-128-256 channels", (2, 2, 2), 16),
    DiscriminatorKind("patch70", "the paper's, 70x70", (2, 2, 2, 1), 24),
    DiscriminatorKind(
        "two-scale", "patch46 of the image and of its half", (2, 2, 2), 32, True
    ),
)
GeneratorName = Literal[tuple(kind.name for kind in GENERATORS)]
DiscriminatorName = Literal[tuple(kind.name for kind in DISCRIMINATORS)]


def kind_of(kinds: tuple, name: str):
    """The entry of that name; `ValueError` if there is none."""
    for kind in kinds:
        if kind.name == name:
            return kind
    raise ValueError(f"expected one of {[k.name for k in kinds]}, got {name!r}.")


def meanings(kinds: tuple) -> str:
    """What each is, for the help of an option, the default first."""
    return ", or ".join(kind.meaning for kind in kinds)
