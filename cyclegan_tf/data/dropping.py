"""What `--drop-copies` leaves out of the training images; the shards stay whole."""

import dataclasses

import numpy as np

from cyclegan_tf.common.console import say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config.images import ImageConfig
from cyclegan_tf.data.dataset import Dataset
from cyclegan_tf.data.findings import copies_in, found_in
from cyclegan_tf.data.shards import damage_named


@damage_named()
def shown(config: ImageConfig, dataset: Dataset) -> Dataset:
    """A dataset as a run with these options sees it.

    Raises:
        Damaged: some of its images cannot be read.
    """
    if not config.drop_copies:
        return dataset
    found, left_out = found_in(dataset), {}
    for domain in "AB":
        train, test = f"train{domain}", f"test{domain}"
        again, of_test, in_test = (
            copies_in(found, *names)[0]
            for names in ((train, train), (train, test), (test, train))
        )
        # A copy of a test image goes with all its own copies, as each has an earlier.
        dropped = np.concatenate([again[:, 0], of_test[:, 0], in_test[:, 1]])
        left_out[train] = np.unique(dropped)
    return dataclasses.replace(dataset, left_out=left_out)


def tell(dataset: Dataset) -> None:
    """Says how many images are left out, and of how many, if any were asked to be.

    Raises:
        InputError: it is all of a domain.
    """
    counts = {name: len(dataset.index[name]) for name in dataset.left_out}
    for name, left_out in dataset.left_out.items():
        if len(left_out) == counts[name]:
            raise InputError(
                f"--drop-copies leaves no image of {name}: all {counts[name]} are in "
                f"test{name[-1]}, too; give other test images, or leave it out."
            )
    if counts:
        named = " and ".join(
            f"{len(dataset.left_out[name])} of {count} images of {name}"
            for name, count in counts.items()
        )
        say(f"--drop-copies: {named} are left out, as copies or test images")
