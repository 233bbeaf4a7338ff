"""The eight losses, and those of a student, in tables; `CycleGAN` computes them.

Help, the objective, columns of `metrics.csv`, charts and documents follow from them.
"""

from typing import NamedTuple


class LossTerm(NamedTuple):
    """One loss, logged without its weight.

    Formulas are means over the batch: a and b are images, G_AB and G_BA the generators,
    T_AB and T_BA their teachers, D_A judges images of domain A, F_A is what comes out
    of its stages.
    """

    name: str
    formula: str
    weight: str | None = None  # the option that it is multiplied by
    is_of_generators: bool = True  # or else the discriminators minimize it


LOSS_TERMS = (
    LossTerm("G_A", "(D_B(G_AB(a)) − 1)²"),
    LossTerm("G_B", "(D_A(G_BA(b)) − 1)²"),
    LossTerm("cycle_A", "abs(G_BA(G_AB(a)) − a)", "cycle_weight"),
    LossTerm("cycle_B", "abs(G_AB(G_BA(b)) − b)", "cycle_weight"),
    LossTerm("identity_A", "abs(G_AB(b) − b)", "identity_weight"),
    LossTerm("identity_B", "abs(G_BA(a) − a)", "identity_weight"),
    LossTerm("D_A", "½ [(D_A(a) − 1)² + D_A(pooled fake a)²]", is_of_generators=False),
    LossTerm("D_B", "½ [(D_B(b) − 1)² + D_B(pooled fake b)²]", is_of_generators=False),
)
# Only of a run that has a teacher.
TEACHER_TERMS = (
    LossTerm("teacher_A", "abs(G_AB(a) − T_AB(a))", "teacher_weight"),
    LossTerm("teacher_B", "abs(G_BA(b) − T_BA(b))", "teacher_weight"),
    LossTerm("feature_A", "abs(F_B(G_AB(a)) − F_B(T_AB(a)))", "feature_weight"),
    LossTerm("feature_B", "abs(F_A(G_BA(b)) − F_A(T_BA(b)))", "feature_weight"),
)
GENERATOR_LOSSES = tuple(t.name for t in LOSS_TERMS if t.is_of_generators)
DISCRIMINATOR_LOSSES = tuple(t.name for t in LOSS_TERMS if not t.is_of_generators)
LOSSES = GENERATOR_LOSSES + DISCRIMINATOR_LOSSES
# The options that weigh losses, which `CycleGAN` takes by the same names.
WEIGHT_OPTIONS = tuple(
    dict.fromkeys(t.weight for t in LOSS_TERMS + TEACHER_TERMS if t.weight)
)


def weighed_by(option: str) -> str:
    """The names of the losses that an option is the weight of."""
    terms = LOSS_TERMS + TEACHER_TERMS
    return " and ".join(term.name for term in terms if term.weight == option)
