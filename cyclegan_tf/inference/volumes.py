"""Translating files of several pictures, slice by slice, into files of as many.

A NIfTI volume becomes a NIfTI volume in the same place, and a DICOM file of several
frames a TIFF of as many pages.
"""

import numpy as np

from cyclegan_tf.common.console import printable, progress_bar, say
from cyclegan_tf.data import medical, writing
from cyclegan_tf.data.arrays import UnreadableImage, in_form, of_supported_type
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.files import Outcome, make_each
from cyclegan_tf.inference.jobs import ZIPPED, Job


def translate_volumes(
    jobs: list[Job],
    translate: Translator,
    batch_size: int,
    overwrite: bool,
    outcome: Outcome,
) -> None:
    """Translates files of several pictures, at most `batch_size` slices per call.

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
