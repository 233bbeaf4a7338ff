import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.inference import files, volumes
from cyclegan_tf.inference import jobs as all_jobs
from cyclegan_tf.inference.direction import Translator
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
    request = all_jobs.requested(str(given), str(output))
    jobs = volumes.volume_jobs(request)
    return list(volumes.translate_volumes(jobs, translator, 2, overwrite=False))


@pytest.mark.parametrize("affine", [np.diag([2.0, 2, 3, 1]), FLIPPED, SAGITTAL])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("codes", [{"sform": 4, "qform": 1}, {"sform": 0, "qform": 2}])
def test_volume_stays_in_its_place(tmp_path, affine, dtype, codes):
    volume = np.random.default_rng(0).integers(-99, 299, (17, 20, 24)).astype(dtype)
    source = saved(tmp_path / "scan.nii", volume, affine, "Doe, Jane", **codes)
    (result,) = translated(source, tmp_path / "out")
    assert result.outcome == files.TRANSLATED
    data = result.job.target.read_bytes()
    assert result.job.target == tmp_path / "out" / "scan.nii.gz"
    before, after = nibabel.load(source), nibabel.load(result.job.target)
    np.testing.assert_array_equal(after.get_fdata(), -volume)
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)
    np.testing.assert_allclose(after.get_qform(), before.get_qform(), atol=1e-5)
    assert after.header["qform_code"] == codes["qform"]
    assert after.header.get_xyzt_units() == ("mm", "sec")
    assert after.header.get_zooms() == before.header.get_zooms()
    assert data[:2] == b"\x1f\x8b" and b"Doe" not in after.to_bytes()


def test_nan_is_nan_again_and_of_a_series_the_first_volume_is_taken(tmp_path, capsys):
    series = np.random.default_rng(0).normal(size=(20, 24, 3, 2)).astype(np.float32)
    series[3, 4, 1, 0] = np.nan
    source = saved(tmp_path / "scan.nii.gz", series, FLIPPED)
    (result,) = translated(source, tmp_path / "fake.nii")
    assert "scan.nii.gz': first of 2 volumes" in capsys.readouterr().err
    assert result.job.target.read_bytes()[:4] == (348).to_bytes(4, "little")
    again = nibabel.load(tmp_path / "fake.nii").get_fdata()
    np.testing.assert_array_equal(again, -series[..., 0])


def test_bytes_stay_bytes(tmp_path):
    grey = Domain(1)
    volume = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    source = saved(tmp_path / "scan.nii.gz", volume, FLIPPED)
    inverse = Translator(grey, grey, lambda images: 255 - images)
    (result,) = translated(source, tmp_path / "out", inverse)
    again = nibabel.load(result.job.target)
    assert again.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(again.dataobj), 255 - volume)


def test_bad_volumes_are_named_and_others_are_translated(tmp_path):
    write_images(tmp_path / "in", 1)
    volume = np.zeros((20, 24, 3), np.float32)
    saved(tmp_path / "in" / "b.nii", volume, FLIPPED)
    saved(tmp_path / "in" / "c.nii.gz", volume.astype(np.uint8), FLIPPED)
    (tmp_path / "in" / "a.nii.gz").write_bytes(b"damaged")
    request = all_jobs.requested(str(tmp_path / "in"), str(tmp_path / "out"))
    assert [file.name for file in request.pictures] == ["000.png"]
    results = translated(tmp_path / "in", tmp_path / "out")
    assert [(result.job.source.name, result.outcome) for result in results] == [
        ("a.nii.gz", files.FAILED),
        ("b.nii", files.TRANSLATED),
        ("c.nii.gz", files.FAILED),
    ]
    assert results[0].reason.startswith("damaged NIfTI")
    assert results[2].reason.startswith("is uint8 with 1 channel; the model takes")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.nii.gz"]


def test_output_of_another_kind_and_colours_are_refused(tmp_path):
    volume = np.zeros((20, 24, 3), np.float32)
    source = saved(tmp_path / "scan.nii.gz", volume, FLIPPED)
    with pytest.raises(InputError, match=r"x\.png: of a volume comes a \.nii or"):
        translated(source, tmp_path / "x.png")
    colours = Translator(FLOATS, Domain(), lambda x: x)
    (result,) = translated(source, tmp_path / "out", colours)
    assert result.reason.startswith("the model makes no grey pictures")
