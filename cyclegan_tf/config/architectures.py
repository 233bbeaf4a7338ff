"""The architectures of generators and discriminators, an entry each.

Help, choices and the checks of sizes follow from these tables; `model.networks` has the
function that builds each.
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
    """

    name: str
    meaning: str
    strides: tuple[int, ...]

    @property
    def least_side(self) -> int:
        """The smallest side of an image, in pixels, that gives a score at all."""
        side = SIDE_MULTIPLE
        while self._scores_along(side) < 1:
            side += SIDE_MULTIPLE
        return side

    def _scores_along(self, side):
        """Scores along a side; all convolutions pad a pixel on every side."""
        for stride in self.strides:
            side = (side - 2) // stride + 1
        return side - 1


GENERATORS = (
    GeneratorKind("resnet", "the paper's", ("norm", "upsampling")),
    GeneratorKind(
        "additive",
        "the same whose output is added to its image, which it begins with",
        ("norm", "upsampling"),
    ),
    GeneratorKind(
        "mobile",
        "one of separable convolutions for phones: --filters are then a quarter of "
        "its channels",
    ),
)
DISCRIMINATORS = (
    DiscriminatorKind("patch46", "PatchGAN of 64-128-256 channels", (2, 2, 2)),
    DiscriminatorKind("patch70", "the paper's, 70x70", (2, 2, 2, 1)),
)
GeneratorName = Literal[tuple(kind.name for kind in GENERATORS)]
DiscriminatorName = Literal[tuple(kind.name for kind in DISCRIMINATORS)]


def kind_of(kinds: tuple, name: str):
    """The entry of that name.

    Raises:
        ValueError: there is none.
    """
    for kind in kinds:
        if kind.name == name:
            return kind
    raise ValueError(f"expected one of {[k.name for k in kinds]}, got {name!r}.")


def meanings(kinds: tuple) -> str:
    """What each is, for the help of an option, the default first."""
    return ", or ".join(kind.meaning for kind in kinds)
