"""A small generator from a large one: the options of a run that learns from another."""

import dataclasses

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DistillConfig, TrainConfig
from cyclegan_tf.config.distill import SHARES
from cyclegan_tf.model.building import new_generator
from cyclegan_tf.model.cost import multiply_adds
from cyclegan_tf.runs.run_dir import RunDir

# The teacher takes the place of the round trip and of the identity.
WEIGHTS_OF_LOSSES = {
    "teacher_weight": 100.0,
    "feature_weight": 30.0,
    "cycle_weight": 0.0,
    "identity_weight": 0.0,
}
LEARNING_RATES = {"learning_rate": 2e-3, "discriminator_learning_rate": 2e-4}
BATCH_SIZE = 4


def student_options(config: DistillConfig) -> TrainConfig:
    """The options of the student's run, by those of the teacher's.

    Images, number of steps and discriminators are the teacher's. Raises `InputError`
    where the student would not be smaller.
    """
    run = RunDir.open(config.run_dir)
    teacher = run.options
    filters = config.filters or max(
        1, round(SHARES[config.student] * teacher.resolved_generator_filters)
    )
    # As many steps, although a larger batch goes through the images in fewer.
    batch_size = max(BATCH_SIZE, teacher.batch_size)
    longer = 1 if teacher.steps_per_epoch else -(-batch_size // teacher.batch_size)
    every = ("epochs", "sample_every", "evaluate_every")
    given = {"epochs": config.epochs, "residual_blocks": config.residual_blocks}
    changes = {name: value for name, value in given.items() if value}
    # Other images as those that the teacher knows, whatever form they have.
    for name, domain in run.domains._asdict().items() if config.dataset else ():
        if domain.is_encodable:
            changes[f"channels_{name}"] = domain.channels
        if not domain.is_grey_levels:
            changes[f"range_{name}"] = domain.range_option
    student = dataclasses.replace(
        config.on_images(teacher),
        **WEIGHTS_OF_LOSSES,
        **LEARNING_RATES,
        batch_size=batch_size,
        constant_epochs=None,
        run_dir=str(config.resolved_student_dir),
        teacher=str(run.path),
        init_from=None,
        generator="mobile",
        generator_filters=filters,
        average=True,
        restart=config.restart,
        **{name: longer * getattr(teacher, name) for name in every}
        | {"residual_blocks": teacher.resolved_residual_blocks}
        | changes,
    )
    _require_smaller(student, teacher, run.domains)
    return student


def _require_smaller(student, teacher, domains):
    height, width, _ = student.frame
    cost, most = (
        multiply_adds(new_generator(options, domains, "a_to_b"), height, width)
        for options in (student, teacher)
    )
    if cost >= most:
        raise InputError(
            f"a student of --filters {student.generator_filters} and --residual-blocks "
            f"{student.residual_blocks} takes {cost:,} multiply-adds for an image, and "
            f"its teacher {most:,}; take fewer filters or blocks."
        )
