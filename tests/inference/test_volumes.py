import numpy as np
import pytest
import tifffile

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.inference import files, volumes
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.jobs import find, plan_all
from tests.helpers import write_images

nibabel = pytest.importorskip("nibabel")
FLOATS = Domain(1, "float32", -100.0, 300.0)
NEGATIVE = Translator(FLOATS, FLOATS, lambda images: -images)
# Left, posterior and below; and axes in another order, turned a little.
FLIPPED = np.array([[-2, 0, 0, 9], [0, -2, 0, 7], [0, 0, -3, 5], [0, 0, 0, 1.0]])
SAGITTAL = np.array([[0, 0.1, 3, 1], [2, 0, 0, 2], [0, -2, 0.1, 3], [0, 0, 0, 1.0]])


def saved(path, volume, affine, name="", **codes):
    image = nibabel.Nifti1Image(volume, affine)
    image.header["descrip"] = name
    image.header.set_xyzt_units("mm", "sec")
    if codes:
        image.set_sform(affine, codes["sform"])
        image.set_qform(affine, codes["qform"])
    nibabel.save(image, path)
    return path


def translated(given, output, translator=NEGATIVE):
    """Translates volumes; returns what became of them, and the jobs."""
    request, outcome = find(str(given), str(output)), files.Outcome()
    jobs = plan_all(request, "auto", translator.target).stacks
    volumes.translate_volumes(jobs, translator, 2, False, outcome)
    return outcome, jobs


@pytest.mark.parametrize("affine", [np.diag([2.0, 2, 3, 1]), FLIPPED, SAGITTAL])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("codes", [{"sform": 4, "qform": 1}, {"sform": 0, "qform": 2}])
def test_volume_stays_in_its_place(tmp_path, affine, dtype, codes):
    volume = np.random.default_rng(0).integers(-99, 299, (17, 20, 24)).astype(dtype)
    source = saved(tmp_path / "scan.nii", volume, affine, "Doe, Jane", **codes)
    outcome, (job,) = translated(source, tmp_path / "out")
    assert outcome == {"translated": 1}
    data = job.target.read_bytes()
    assert job.target == tmp_path / "out" / "scan.nii.gz"
    before, after = nibabel.load(source), nibabel.load(job.target)
    np.testing.assert_array_equal(after.get_fdata(), -volume)
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)
    np.testing.assert_allclose(after.get_qform(), before.get_qform(), atol=1e-5)
    assert after.header["qform_code"] == codes["qform"]
    assert after.header.get_xyzt_units() == ("mm", "sec")
    assert after.header.get_zooms() == before.header.get_zooms()
    assert data[:2] == b"\x1f\x8b" and b"Doe" not in after.to_bytes()


@pytest.mark.parametrize("first", ["a", "z"])
def test_slices_that_are_too_small_fail_and_the_others_are_translated(
    tmp_path, first, capsys
):
    given = tmp_path / "given"
    given.mkdir()
    saved(given / f"{first}.nii", np.ones((20, 12, 3), np.int16), FLIPPED)
    saved(given / "m.nii", np.ones((20, 16, 3), np.int16), FLIPPED)
    outcome, _ = translated(given, tmp_path / "out")
    assert outcome == {"translated": 1, "failed": 1}
    assert "20x12 pixels, smaller than 16x16\n" in capsys.readouterr().err


def test_nan_is_nan_again_and_of_a_series_the_first_volume_is_taken(tmp_path, capsys):
    series = np.random.default_rng(0).normal(size=(20, 24, 3, 2)).astype(np.float32)
    series[3, 4, 1, 0] = np.nan
    source = saved(tmp_path / "scan.nii.gz", series, FLIPPED)
    _, (job,) = translated(source, tmp_path / "fake.nii")
    assert "scan.nii.gz': first of 2 volumes" in capsys.readouterr().err
    assert job.target.read_bytes()[:4] == (348).to_bytes(4, "little")
    again = nibabel.load(tmp_path / "fake.nii").get_fdata()
    np.testing.assert_array_equal(again, -series[..., 0])


def test_bytes_stay_bytes(tmp_path):
    grey = Domain(1)
    volume = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    source = saved(tmp_path / "scan.nii.gz", volume, FLIPPED)
    inverse = Translator(grey, grey, lambda images: 255 - images)
    _, (job,) = translated(source, tmp_path / "out", inverse)
    again = nibabel.load(job.target)
    assert again.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(again.dataobj), 255 - volume)


def test_bad_volumes_are_named_and_others_are_translated(tmp_path, capsys):
    write_images(tmp_path / "in", 1)
    volume = np.zeros((20, 24, 3), np.float32)
    saved(tmp_path / "in" / "b.nii", volume, FLIPPED)
    saved(tmp_path / "in" / "c.nii.gz", volume.astype(np.uint8), FLIPPED)
    (tmp_path / "in" / "a.nii.gz").write_bytes(b"damaged")
    saved(tmp_path / "in" / "d.nii", volume[..., :0], FLIPPED)
    saved(tmp_path / "in" / "e.nii", volume[..., 0], FLIPPED)
    request = find(str(tmp_path / "in"), str(tmp_path / "out"))
    assert [file.name for file in request.pictures] == ["000.png"]
    outcome, _ = translated(tmp_path / "in", tmp_path / "out")
    assert outcome == {"translated": 1, "failed": 4}
    said = capsys.readouterr().err
    assert "a.nii.gz': damaged NIfTI" in said
    assert "d.nii': float32 (20, 24, 0); expected a volume" in said
    assert "e.nii': float32 (20, 24); expected a volume" in said
    assert "c.nii.gz': is uint8 with 1 channel; the model takes" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.nii.gz"]


def test_output_of_another_kind_and_colours_are_refused(tmp_path, capsys):
    volume = np.zeros((20, 24, 3), np.float32)
    source = saved(tmp_path / "scan.nii.gz", volume, FLIPPED)
    with pytest.raises(InputError, match=r"x\.png: of scan\.nii\.gz, .* \.nii or"):
        translated(source, tmp_path / "x.png")
    colours = Translator(FLOATS, Domain(), lambda x: x)
    assert translated(source, tmp_path / "out", colours)[0] == {"failed": 1}
    assert "the model makes no grey pictures" in capsys.readouterr().err


def save_frames(path, count):
    """Saves a DICOM file; returns its frames."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PatientName, dataset.PixelSpacing = "Doe^Jane", [0.5, 0.25]
    dataset.PixelRepresentation = 0  # RescaleIntercept is -1024
    frames = np.random.default_rng(0).integers(0, 4096, (count, 128, 128), np.uint16)
    dataset.NumberOfFrames, dataset.PixelData = count, frames.tobytes()
    path.parent.mkdir(exist_ok=True)
    dataset.save_as(path)
    return frames


def test_frames_of_a_dicom_file_become_pages_of_their_size(tmp_path):
    frames = save_frames(tmp_path / "in" / "cine", 5)  # without a suffix
    outcome, (job,) = translated(tmp_path / "in", tmp_path / "out")
    assert outcome == {"translated": 1} and job.target.name == "cine.tif"
    np.testing.assert_array_equal(tifffile.imread(job.target), 1024.0 - frames)
    with tifffile.TiffFile(job.target) as file:
        for page in file.pages:
            found = [page.tags[x].value for x in (282, 283, 296)]
            assert found == [(40, 1), (20, 1), 3]
    assert b"Doe" not in job.target.read_bytes()
    with pytest.raises(InputError, match=r"comes a \.tif or \.tiff file"):
        translated(tmp_path / "in" / "cine", tmp_path / "x.png")


def test_dicom_files_named_by_numbers_keep_these(tmp_path):
    for name, count in ("1.2.840.7", 1), ("1.3.12.2", 2):
        save_frames(tmp_path / "in" / name, count)
    request = find(str(tmp_path / "in"), str(tmp_path / "out"))
    (picture,), _, (stack,) = plan_all(request, "auto", FLOATS)
    names = picture.target.name, stack.target.name
    assert names == ("1.2.840.7.tif", "1.3.12.2.tif")


def test_pictures_and_stacks_never_become_the_same_file(tmp_path):
    for name, count in ("IM.0001", 1), ("IM.0002", 5), ("scan.dcm", 4):
        save_frames(tmp_path / "in" / name, count)
    tifffile.imwrite(tmp_path / "in" / "scan.tif", np.zeros((20, 24), np.float32))
    request = find(str(tmp_path / "in"), str(tmp_path / "out"))
    pictures, _, stacks = plan_all(request, "auto", FLOATS)
    names = [[job.target.name for job in jobs] for jobs in (pictures, stacks)]
    assert names == [["IM.0001.tif", "scan.tif.tif"], ["IM.0002.tif", "scan.dcm.tif"]]
    done = files.translate_files(pictures, NEGATIVE, 2, False)
    volumes.translate_volumes(stacks, NEGATIVE, 2, False, done)
    assert done == {"translated": 4}
    assert len(tifffile.imread(tmp_path / "out" / "IM.0002.tif")) == 5
