"""DICOM images and NIfTI volumes, by way of pydicom and nibabel.

Both are of the extra `medical` and imported within. Of what files say only pixels and
their size are taken: nothing of a person comes into records, names or messages.
"""

import contextlib
import gzip
import io
import logging
import math
import pathlib
import warnings
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from cyclegan_tf.data.arrays import MAX_BYTES, UnreadableImage, require_size
from cyclegan_tf.data.picture import CENTIMETRE, About, Picture

DICOM_SUFFIXES, VOLUME_SUFFIXES = (".dcm", ".dicom"), (".nii", ".nii.gz")
MAX_STACK = 4 * MAX_BYTES  # of a file of several pictures
DICOM_START, DICOM_START_AT = b"DICM", 128
NEEDED = "install with pip install '.[medical]'"
# Transfer syntaxes that pydicom reads only with plug-ins under other licences: JPEG of
# 12 bits, lossless JPEG, and JPEG-LS.
JPEG = ("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
UNSPECIFIED = "US"  # unit of what a rescale gives
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


def is_dicom(data: bytes) -> bool:
    """Whether a file's first bytes are those of DICOM."""
    return data[DICOM_START_AT:].startswith(DICOM_START)


def is_volume(name: str) -> bool:
    """Whether a file is taken for a NIfTI volume, by its name."""
    return name.lower().endswith(VOLUME_SUFFIXES)


def may_be_dicom(path: pathlib.Path) -> bool:
    """Whether a file has a suffix of DICOM, or none or a number and its first bytes."""
    suffix = path.suffix.lower()
    if suffix in DICOM_SUFFIXES:
        return True
    if (suffix and not suffix[1:].isdigit()) or path.name == "DICOMDIR":
        return False
    try:
        if not path.is_file():  # a pipe would wait
            return False
        with path.open("rb") as file:
            return is_dicom(file.read(DICOM_START_AT + len(DICOM_START)))
    except OSError:
        return False


def read_dicom(data: bytes) -> Picture:
    """The first frame of a DICOM file: grey in the modality's unit, or RGB.

    Of CT that are Hounsfield units. Black is the smallest value, also where the file
    says the opposite of values without a unit. Raises `UnreadableImage` if it has no
    pixels that are read, or pydicom is missing.
    """
    dataset, count = _dataset(io.BytesIO(data))
    picture = _frame(dataset, 0, count)
    return picture._replace(note=f"first of {count} frames" if count > 1 else "")


def is_stack(path: pathlib.Path) -> bool:
    """Whether a file is several pictures: NIfTI by its name, or DICOM with frames."""
    return is_volume(path.name) or num_slices(path) > 1


def num_slices(path: pathlib.Path) -> int:
    """How many pictures a file has: slices, frames, or one; one of a damaged file."""
    try:
        if is_volume(path.name):
            return _opened(path)[2][2]
        if not may_be_dicom(path) or not path.is_file():  # a pipe would wait
            return 1
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # which may quote the file
            return _dataset(file, stop_before_pixels=True)[1]
    except (UnreadableImage, OSError):
        return 1


def slices_of(path: pathlib.Path) -> Iterator[Picture]:
    """All slices of a volume, or frames of a DICOM file; axial, from below to above.

    The front is above in each. Of several volumes they are those of the first. What is
    NaN has no value. Raises `UnreadableImage` for a file that cannot be read.
    """
    if is_volume(path.name):
        yield from _slices(*_opened(path))
        return
    try:
        if path.stat().st_size > MAX_STACK:
            raise UnreadableImage(f"more than {MAX_STACK // 10**6} megabytes")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(str(error)) from None
    dataset, count = _dataset(io.BytesIO(data))
    for frame in range(count):
        yield _frame(dataset, frame, count)


@contextlib.contextmanager
def _unreadable(what):
    """Names the type of what a library raises; its text may quote the file."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(f"{what} ({type(error).__name__})") from None


def _dataset(file, **options):
    """A dataset of pydicom, and how many frames it has."""
    try:
        import pydicom
    except ImportError:
        raise UnreadableImage(f"DICOM needs pydicom; {NEEDED}") from None
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    with _unreadable("damaged DICOM"):
        dataset = pydicom.dcmread(file, **options)
        return dataset, max(1, int(dataset.get("NumberOfFrames") or 1))


def _frame(dataset, frame, count):
    if "Rows" not in dataset or "PixelData" not in dataset:
        floats = {"FloatPixelData", "DoubleFloatPixelData"}.intersection(dataset.dir())
        what = "of floats, which are not read" if floats else "without an image"
        raise UnreadableImage(f"a DICOM file {what}")
    with _unreadable("damaged, or a DICOM of a kind that is not read"):
        samples = int(dataset.get("SamplesPerPixel", 1))
        size = int(dataset.Rows), int(dataset.Columns)
        require_size(*size, samples * int(dataset.BitsAllocated) // 8)
        pixels = np.atleast_3d(_pixels(dataset, frame, count))
        resolution = _size(_group(dataset, "PixelMeasuresSequence", frame))
    return Picture(pixels, about=About(resolution=resolution))


def _group(dataset, name, frame):
    """What says this of a frame: of enhanced objects a group of it, or one of all."""
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    found = [
        group[name][0]
        for group in (*groups[frame : frame + 1], *shared)
        if name in group
    ]
    return found[0] if found else dataset


def _pixels(dataset, frame, count):
    from pydicom import pixels

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in (*JPEG, *JPEG_LS):
        values = _decoded(dataset, frame, count, syntax)
    else:
        values = pixels.pixel_array(dataset, index=frame)
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        entries, _, bits = dataset.RedPaletteColorLookupTableDescriptor
        # pydicom 3 would keep 8 bits of the index into them; 0 stands for 65,536.
        if bits == 8 and not 0 < entries <= 256:
            raise UnreadableImage("a palette of more than 256 colours of 8 bits")
        colours = pixels.apply_color_lut(values, dataset)
        return np.uint8(colours >> 8) if colours.dtype == np.uint16 else colours
    scaling = _group(dataset, "PixelValueTransformationSequence", frame)
    usual = "HU" if dataset.get("Modality") == "CT" else UNSPECIFIED
    has_unit = (scaling.get("RescaleType") or usual) != UNSPECIFIED
    if kind == "MONOCHROME1" and not has_unit:
        bits = int(dataset.BitsStored)
        values = (-1 if dataset.PixelRepresentation else 2**bits - 1) - values
    if values.ndim == 2:
        values = pixels.apply_modality_lut(values, scaling)
    return values


def _decoded(dataset, frame, count, syntax):
    import imagecodecs
    from pydicom.encaps import get_frame

    encoded = get_frame(dataset.PixelData, frame, number_of_frames=count)
    decode = imagecodecs.jpeg_decode if syntax in JPEG else imagecodecs.jpegls_decode
    values = decode(encoded)
    if dataset.PixelRepresentation:  # signed, in fewer bits than the type has
        shift = values.dtype.itemsize * 8 - int(dataset.BitsStored)
        signed = np.dtype(f"i{values.dtype.itemsize}")
        values = (values << shift).view(signed) >> shift
    return values


def _size(dataset):
    """Pixels per centimetre, as millimetres from pixel to pixel say it; or None."""
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    try:
        down, across = (Fraction(str(x)).limit_denominator(10**6) for x in spacing)
        fractions = [(10 / x).limit_denominator(10**4) for x in (across, down)]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (*(x.as_integer_ratio() for x in fractions), CENTIMETRE)


def _opened(path):
    """A NIfTI file, opened but not read: nibabel's image, its orientation, its shape.

    The shape is of axes that go from left to right, from back to front, and from below
    to above.
    """
    try:
        import nibabel
    except ImportError:
        raise UnreadableImage(f"NIfTI needs nibabel; {NEEDED}") from None
    if not path.is_file():  # a pipe would wait
        raise UnreadableImage("not a regular file")
    with _unreadable("damaged NIfTI"):
        image = nibabel.load(path)
        shape, dtype = image.shape, image.get_data_dtype()
        if len(shape) < 3 or 0 in shape or dtype.kind not in "iuf":
            expected = "expected a volume of real numbers"
            raise UnreadableImage(f"{dtype} {shape}; {expected}")
        orientation = nibabel.io_orientation(image.affine)
        upright = [shape[axis] for axis in np.argsort(orientation[:, 0])]
    if np.prod(shape[:3], dtype=float) * dtype.itemsize > MAX_STACK:
        raise UnreadableImage(f"{shape} values, too many for the memory")
    return image, orientation, upright


def _slices(image, orientation, shape):
    from nibabel.orientations import apply_orientation

    require_size(shape[1], shape[0], image.get_data_dtype().itemsize)
    others = image.shape[3:]
    with _unreadable("damaged NIfTI"):
        # Of a series the first volume, and nothing of the others.
        values = np.asanyarray(image.dataobj[(..., *(0 for _ in others))])
        values = apply_orientation(values, orientation)
    count = math.prod(others)
    note = f"first of {count} volumes" if count > 1 else ""
    for z in range(values.shape[2]):
        pixels = values[:, ::-1, z].T[..., None]
        valid = None
        if pixels.dtype.kind == "f" and np.isnan(pixels).any():
            valid = ~np.isnan(pixels)
            pixels = np.where(valid, pixels, pixels.dtype.type(0))
        yield Picture(np.ascontiguousarray(pixels), valid, note)


def encode_volume(
    slices: list[np.ndarray], path: pathlib.Path, is_zipped: bool
) -> bytes:
    """The content of a NIfTI file, perhaps zipped, that has the place of another.

    It has the axes, affine, codes and units of the file at `path`, and nothing else of
    its header. Slices are `(height, width, 1)`, as `slices_of` gives them.
    """
    import nibabel
    from nibabel import orientations

    original = nibabel.load(path)
    values = np.stack([each[..., 0].T[:, ::-1] for each in slices], axis=2)
    own = orientations.io_orientation(original.affine)
    back = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), own)
    turned = orientations.apply_orientation(values, back)
    is_second = isinstance(original, nibabel.Nifti2Image)  # holds longer sides
    kind = nibabel.Nifti2Image if is_second else nibabel.Nifti1Image
    image = kind(turned, original.affine)
    image.header.set_xyzt_units(*original.header.get_xyzt_units())
    image.set_sform(original.affine, int(original.header["sform_code"]) or 1)
    image.set_qform(*original.get_qform(coded=True))
    data = image.to_bytes()
    return gzip.compress(data, mtime=0) if is_zipped else data
