"""Translating NIfTI volumes, slice by slice, into volumes in the same place."""

import itertools
from collections.abc import Iterator

import numpy as np

from cyclegan_tf.common.console import printable, progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import medical
from cyclegan_tf.data.arrays import UnreadableImage, in_form, of_supported_type
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.files import MAX_BATCH_PIXELS, Result, one_by_one
from cyclegan_tf.inference.jobs import Job, Request, jobs

SUFFIX = medical.VOLUME_SUFFIXES[1]


def volume_jobs(request: Request) -> list[Job]:
    """Says which file each volume becomes; a folder's tree and its names are kept.

    Raises:
        InputError: the output is no NIfTI file, or would be among the input.
    """
    output = request.output
    if request.is_to_file and request.volumes and not medical.is_volume(output.name):
        raise InputError(f"{output}: of a volume comes a .nii or .nii.gz file.")
    return jobs(request, request.volumes, lambda source: SUFFIX)


def translate_volumes(
    jobs: list[Job], translate: Translator, batch_size: int, overwrite: bool
) -> Iterator[Result]:
    """Translates volumes one after the other, and goes on over bad ones.

    Args:
        jobs: the volumes.
        translate: a model whose target is grey.
        batch_size: the most slices per call.
        overwrite: whether to replace what is there, see `files.taken`.

    Raises:
        OSError: a translation cannot be written.
    """

    def make(job, aside):
        try:
            aside.write_bytes(_translated(job, translate, batch_size))
        except InputError as error:
            reason = str(error).removeprefix(f"{job.source}: ")
            raise UnreadableImage(reason) from None

    return one_by_one(jobs, overwrite, make)


def _translated(job, translate, batch_size):
    """The content of the file that a volume becomes."""
    if translate.target.channels != 1:
        raise UnreadableImage("the model makes no grey pictures, as a volume's are")
    volume = medical.open_volume(job.source)
    if count := np.prod(volume.shape[3:], dtype=int) - 1:
        say(f"of {str(job.source)!r}: first of {count + 1} volumes")
    height, width, depth = volume.shape[1], volume.shape[0], volume.shape[2]
    at_once = min(batch_size, max(1, MAX_BATCH_PIXELS // (height * width)))
    slices = medical.slices(medical.values_of(volume))
    name, fakes = printable(job.source.name), []
    with progress_bar(depth, f"translating {name}", " slices") as bar:
        while some := list(itertools.islice(slices, at_once)):
            reals = [in_form(of_supported_type(x), translate.source) for x in some]
            made = translate.each(np.stack([real.pixels for real in reals]))
            for real, fake in zip(reals, made, strict=True):
                if isinstance(fake, UnreadableImage):
                    raise fake
                if real.valid is not None:  # none of integers is free to mean it
                    fake = np.where(real.valid, np.float32(fake), np.float32(np.nan))
                fakes.append(fake)
            bar.update(len(some))
    is_zipped = job.target.name.lower().endswith(SUFFIX)
    return medical.encode_volume(medical.volume_of(fakes), job.source, is_zipped)
