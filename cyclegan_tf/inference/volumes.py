"""Translating files of several pictures, slice by slice, into files of as many.

A NIfTI volume becomes a NIfTI volume in the same place, and a DICOM file of several
frames a TIFF of as many pages.
"""

import numpy as np

from cyclegan_tf.common.console import printable, progress_bar, say
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data import medical, writing
from cyclegan_tf.data.arrays import UnreadableImage, in_form, of_supported_type
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.files import Outcome, make_each
from cyclegan_tf.inference.jobs import Job, Request, jobs

ZIPPED = medical.VOLUME_SUFFIXES[1]


def volume_jobs(request: Request) -> list[Job]:
    """Says which file each becomes; a folder's tree and its names are kept.

    Raises:
        InputError: the output is of another kind, or would be among the input.
    """

    def suffix_for(source):
        return ZIPPED if medical.is_volume(source.name) else writing.TIFF_SUFFIXES[0]

    for source in request.stacks if request.is_to_file else []:
        is_volume = medical.is_volume(source.name)
        kinds = medical.VOLUME_SUFFIXES if is_volume else writing.TIFF_SUFFIXES
        if not request.output.name.lower().endswith(kinds):
            raise InputError(
                f"{request.output}: of {source.name}, which has several pictures, "
                f"comes a {' or '.join(kinds)} file."
            )
    return jobs(request, request.stacks, suffix_for)


def translate_volumes(
    jobs: list[Job],
    translate: Translator,
    batch_size: int,
    overwrite: bool,
    outcome: Outcome,
) -> None:
    """Translates files of `volume_jobs`, at most `batch_size` slices per call.

    Goes on over bad ones, and over what the model cannot make: of NIfTI a model whose
    target is grey is needed. Errors are as of `make_each`.
    """

    def make(job, aside):
        slices = _translated(job.source, translate, batch_size)
        if not medical.is_volume(job.source.name):
            writing.write_pages(aside, slices, medical.num_slices(job.source))
            return
        if translate.target.channels != 1:
            raise UnreadableImage("the model makes no grey pictures, as a volume's are")
        values = [_with_nan(fake, real.valid) for fake, real in slices]
        is_zipped = job.target.name.lower().endswith(ZIPPED)
        aside.write_bytes(medical.encode_volume(values, job.source, is_zipped))

    make_each(jobs, overwrite, outcome, make)


def _translated(source, translate, batch_size):
    """The translation of each slice of a file, and the slice."""

    def slices():
        for i, picture in enumerate(medical.slices_of(source)):
            if picture.note and i == 0:
                say(f"of {str(source)!r}: {picture.note}")
            real = in_form(of_supported_type(picture), translate.source)
            yield real, real.pixels

    what = f"translating {printable(source.name)}"
    with progress_bar(medical.num_slices(source), what, " slices") as bar:
        for real, _, fake in translate.stream(slices(), batch_size):
            yield fake, real
            bar.update()


def _with_nan(pixels, valid):
    if valid is None:
        return pixels
    # No integer is free to mean that there is no value.
    return np.where(valid, np.float32(pixels), np.float32(np.nan))
