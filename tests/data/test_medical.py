"""DICOM and NIfTI, by the files that pydicom and nibabel bring along."""

import os
import pathlib

import numpy as np
import pytest
import tifffile

from cyclegan_tf.data import medical
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.data.images import UnreadableImage, normalize, read
from cyclegan_tf.data.picture import CENTIMETRE
from cyclegan_tf.data.shards import names_of
from cyclegan_tf.data.sources.files import files_named, image_files
from cyclegan_tf.data.writing import suffix_for, write
from tests.helpers import converted

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")


def dicom(name):
    return pathlib.Path(pydicom.data.get_testdata_file(name))


def values(name):
    """The values that pydicom gives, in the modality's unit."""
    dataset = pydicom.dcmread(dicom(name))
    return pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)


def saved(path, **changes):
    """CT_small with other tags."""
    dataset = pydicom.dcmread(dicom("CT_small.dcm"))
    dataset.PatientName = "Doe^Jane"
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def test_ct_is_read_in_hounsfield_units():
    image = normalize(dicom("CT_small.dcm").read_bytes())
    expected = values("CT_small.dcm")
    assert (image.channels, image.dtype) == (1, "float32")
    found = read(dicom("CT_small.dcm").read_bytes(), Domain(1, "float32"))
    np.testing.assert_array_equal(found.pixels[..., 0], expected)


@pytest.mark.parametrize(
    "coding", ["RLE", "bigendian", "jp2klossless", "jpeg_ls_lossless"]
)
def test_every_coding_gives_the_same(coding):
    data = dicom(f"MR_small_{coding}.dcm").read_bytes()
    found = read(data, Domain(1, "float32")).pixels[..., 0]
    np.testing.assert_array_equal(found, values("MR_small.dcm"))


def test_monochrome1_is_turned(tmp_path):
    stored = {"RescaleIntercept": 0, "PixelRepresentation": 0, "Modality": "DX"}
    plain = saved(tmp_path / "2.dcm", **stored).read_bytes()
    turned = {"PhotometricInterpretation": "MONOCHROME1"} | stored
    turned = saved(tmp_path / "1.dcm", **turned).read_bytes()
    domain = Domain(1, normalize(plain).dtype)
    sums = read(plain, domain).pixels.astype(int) + read(turned, domain).pixels
    assert (sums == 2**16 - 1).all()


@pytest.mark.parametrize("unit", [{}, {"Modality": "NM", "RescaleType": "BQML"}])
def test_monochrome1_leaves_values_of_a_unit_as_they_are(tmp_path, unit):
    turned = saved(tmp_path / "1.dcm", PhotometricInterpretation="MONOCHROME1", **unit)
    found = read(turned.read_bytes(), Domain(1, "float32")).pixels[..., 0]
    np.testing.assert_array_equal(found, values("CT_small.dcm"))


@pytest.mark.parametrize("is_shared", [True, False])
def test_frames_of_enhanced_objects_have_their_own_scales(tmp_path, is_shared):
    dataset = pydicom.dcmread(dicom("CT_small.dcm"))
    stored = dataset.pixel_array
    groups = []
    for slope in (1, 2):
        scaling, measures, group = (pydicom.Dataset() for _ in range(3))
        scaling.RescaleSlope, scaling.RescaleIntercept = slope, -1024 * slope
        scaling.RescaleType, measures.PixelSpacing = "HU", [0.5, 0.25]
        group.PixelValueTransformationSequence = [scaling]
        group.PixelMeasuresSequence = [measures]
        groups.append(group)
    del dataset.RescaleSlope, dataset.RescaleIntercept, dataset.PixelSpacing
    dataset.NumberOfFrames, dataset.PixelData = 2, 2 * dataset.PixelData
    if is_shared:
        dataset.SharedFunctionalGroupsSequence = groups[:1]
    else:
        dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.save_as(tmp_path / "enhanced.dcm")
    frames = list(medical.slices_of(tmp_path / "enhanced.dcm"))
    for frame, slope in zip(frames, (1, 1) if is_shared else (1, 2), strict=True):
        np.testing.assert_array_equal(frame.pixels[..., 0], slope * (stored - 1024))
        assert frame.about.resolution == ((40, 1), (20, 1), CENTIMETRE)


def test_colours_become_rgb():
    ybr = read(dicom("SC_ybr_full_422_uncompressed.dcm").read_bytes(), Domain())
    assert ybr.pixels[5, 50].tolist() == pytest.approx([255, 0, 0], abs=3)  # a red bar
    for name in ("examples_palette.dcm", "SC_rgb_jpeg_gdcm.dcm"):  # lossless JPEG
        image = normalize(dicom(name).read_bytes())
        assert (image.channels, image.dtype) == (3, "uint8")


def test_palette_of_which_pydicom_mixes_the_colours_is_refused(tmp_path):
    # See findings/pydicom_lut_index_of_8_bits.sh.
    path = saved(tmp_path / "a.dcm", PhotometricInterpretation="PALETTE COLOR")
    dataset = pydicom.dcmread(path)
    for tag in (0x00281101, 0x00281102, 0x00281103):  # of red, green and blue
        dataset.add_new(tag, "US", [4096, 0, 8])
        dataset.add_new(tag + 0x100, "OW", bytes(4096))
    dataset.save_as(path)
    with pytest.raises(UnreadableImage, match="more than 256 colours of 8 bits"):
        normalize(path.read_bytes())


def test_damaged_frames_are_refused_without_a_word_of_the_file(tmp_path):
    path = saved(tmp_path / "cine.dcm", NumberOfFrames=2)
    data = path.read_bytes()
    place = data.index(b"\x28\0\x08\0IS") + 8
    path.write_bytes(data[:place] + b"x " + data[place + 2 :])
    assert medical.num_slices(path) == 1
    with pytest.raises(UnreadableImage, match=r"^damaged DICOM \(ValueError\)$"):
        normalize(path.read_bytes())
    path = saved(tmp_path / "no-bits.dcm", NumberOfFrames=2)
    dataset = pydicom.dcmread(path)
    del dataset.BitsAllocated
    dataset.save_as(path)
    with pytest.raises(UnreadableImage, match="kind that is not read"):
        list(medical.slices_of(path))


@pytest.mark.parametrize("name", ["rtstruct.dcm", "MR_truncated.dcm", "badVR.dcm"])
def test_what_has_no_image_is_refused_and_names_nobody(name, tmp_path):
    data = dicom(name).read_bytes()
    with pytest.raises(UnreadableImage) as caught:
        normalize(bytes(128) + b"DICM" + data if name == "rtstruct.dcm" else data)
    assert len(str(caught.value)) < 90


def test_glob_finds_files_without_a_suffix(tmp_path):
    (tmp_path / "scans").mkdir()
    saved(tmp_path / "scans" / "IM0001")
    (tmp_path / "scans" / "notes").write_text("of the day")
    found = files_named("domain_a", str(tmp_path / "scans" / "*"))
    assert found.names == ["scans/IM0001"]


def test_folders_of_ct_and_mr_become_a_dataset(tmp_path):
    folder = tmp_path / "scans"
    for split in ("trainA", "trainB", "testA", "testB"):
        (folder / split).mkdir(parents=True)
    for split in ("trainA", "testA"):
        saved(folder / split / "IM0001")
        saved(folder / split / "1.2.840.7")
        (folder / split / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    volume = np.random.default_rng(0).integers(-1000, 999, (20, 24, 5), np.int16)
    affine = np.diag([-2.0, 2.0, 3.0, 1.0])  # x from right to left
    for split in ("trainB", "testB"):
        image = nibabel.Nifti1Image(volume, affine)
        nibabel.save(image, folder / split / "volume.nii.gz")
    dataset = converted(folder)
    split_a, split_b = dataset.split("trainA"), dataset.split("trainB")
    assert split_a.domain.dtype == split_b.domain.dtype == "float32"
    assert split_a.domain.high == values("CT_small.dcm").max()
    assert names_of(split_a) == ["trainA/1.2.840.7", "trainA/IM0001"]
    names = names_of(split_b)
    assert names == [f"trainB/volume_{i:04d}" for i in range(5)]
    content = b"".join(path.read_bytes() for path in dataset.directory.iterdir())
    assert b"Doe" not in content and b"Jane" not in content


def test_slices_of_a_volume_are_upright_and_become_it_again(tmp_path):
    volume = np.random.default_rng(0).normal(size=(20, 24, 5)).astype(np.float32)
    volume[3, 4, 2] = np.nan
    path = tmp_path / "volume.nii"
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    pictures = list(medical.slices_of(path))
    assert pictures[0].pixels.shape == (24, 20, 1)
    # Of RAS the last row is the back, and the first column the left.
    assert pictures[1].pixels[-1, 0, 0] == volume[0, 0, 1]
    assert pictures[2].valid.sum() == 24 * 20 - 1 and pictures[1].valid is None
    slices = [picture.pixels for picture in pictures]
    (tmp_path / "again.nii").write_bytes(medical.encode_volume(slices, path, False))
    again = nibabel.load(tmp_path / "again.nii").get_fdata()
    np.testing.assert_array_equal(again, np.nan_to_num(volume))


def test_frames_of_a_file_are_pictures_of_their_own(tmp_path):
    target = tmp_path / "cine.dcm"
    target.write_bytes(dicom("SC_rgb_rle_2frame.dcm").read_bytes())
    frames = list(medical.slices_of(target))
    expected = pydicom.dcmread(target).pixel_array
    assert len(frames) == 2
    np.testing.assert_array_equal(frames[1].pixels, expected[1])
    assert normalize(target.read_bytes()).note == "first of 2 frames"


def test_translated_slice_has_the_size_of_its_pixels(tmp_path):
    source = saved(tmp_path / "scan.dcm", PixelSpacing=[0.5, 0.25])
    picture = read(source.read_bytes(), Domain(1, "float32"))
    assert suffix_for(Domain(1, "uint16"), source) == ".tif"
    write(tmp_path / "out.tif", picture.pixels, picture)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages[0].tags
        assert [tags[x].value for x in (282, 283, 296)] == [(40, 1), (20, 1), 3]
        assert "Doe" not in str(tags)


def test_files_that_are_no_dicom_are_not_opened_as_one(tmp_path):
    (tmp_path / "README").write_text("nothing")
    (tmp_path / "notes.7").write_bytes(b"")
    assert not image_files(tmp_path)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PIR", "LPI"])
def test_of_a_series_the_first_volume_is_read_as_nibabel_turns_it(
    tmp_path, codes, monkeypatch
):
    from nibabel import orientations

    series = np.random.default_rng(0).integers(-99, 99, (18, 20, 17, 7), np.int16)
    path = tmp_path / "series.nii.gz"
    codes = orientations.axcodes2ornt(codes)
    affine = orientations.inv_ornt_aff(codes, series.shape[:3])
    nibabel.save(nibabel.Nifti1Image(series, affine), path)
    expected = nibabel.as_closest_canonical(nibabel.load(path)).dataobj[..., 0]
    assert medical.num_slices(path) == expected.shape[2]
    sliced = []
    proxy = nibabel.arrayproxy.ArrayProxy
    own = proxy.__getitem__
    monkeypatch.setattr(
        proxy, "__getitem__", lambda self, at: sliced.append(at) or own(self, at)
    )
    found = [picture.pixels[..., 0] for picture in medical.slices_of(path)]
    assert sliced == [(..., 0)]
    turned = np.moveaxis(expected, 2, 0)[:, :, ::-1].transpose(0, 2, 1)
    np.testing.assert_array_equal(found, turned)


def test_damaged_volume_is_skipped_with_its_slices(tmp_path, capsys):
    folder = tmp_path / "scans"
    volume = np.random.default_rng(0).integers(-99, 99, (20, 24, 60), np.int16)
    for split in ("trainA", "trainB"):
        (folder / split).mkdir(parents=True)
        for i in range(2):
            path = folder / split / f"{i}.nii"
            part = volume[..., : 60 if i else 3]
            nibabel.save(nibabel.Nifti1Image(part, np.eye(4)), path)
    path = folder / "trainA" / "0.nii"
    path.write_bytes(path.read_bytes()[:-9])
    dataset = converted(folder)
    said = capsys.readouterr().err
    assert said.count("skipped trainA/0_000") == 3 and "damaged NIfTI (OSError)" in said
    names = names_of(dataset.split("trainA"))
    assert names == [f"trainA/1_{i:04d}" for i in range(60)]


def test_neither_pipes_nor_huge_files_are_read(tmp_path):
    for name in ("a.dcm", "b.nii"):
        os.mkfifo(tmp_path / name)
        assert medical.num_slices(tmp_path / name) == 1
    with pytest.raises(UnreadableImage, match="not a regular file"):
        list(medical.slices_of(tmp_path / "b.nii"))
    path = saved(tmp_path / "cine.dcm", NumberOfFrames=2)
    os.truncate(path, 10**11)
    with pytest.raises(UnreadableImage, match="more than 1200 megabytes"):
        list(medical.slices_of(path))


def test_long_volume_becomes_one_again(tmp_path):
    volume = np.zeros((40000, 16, 1), np.uint8)
    path = tmp_path / "long.nii"
    nibabel.save(nibabel.Nifti2Image(volume, np.eye(4)), path)
    slices = [picture.pixels for picture in medical.slices_of(path)]
    (tmp_path / "again.nii").write_bytes(medical.encode_volume(slices, path, False))
    assert nibabel.load(tmp_path / "again.nii").shape == volume.shape
