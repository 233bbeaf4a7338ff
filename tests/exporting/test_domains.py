"""Models of images that are not 8-bit RGB, from a run to translated files."""

import re
import shutil

import imagecodecs
import keras
import numpy as np
import pytest
import tensorflow as tf
import tifffile

import cyclegan_tf
from cyclegan_tf.common import checksums
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import ExportConfig
from cyclegan_tf.data.domain import Domain, Domains
from cyclegan_tf.exporting import exporter
from cyclegan_tf.exporting.formats import WRITERS
from cyclegan_tf.inference import exported as exported_models
from cyclegan_tf.inference import files, run_exported
from cyclegan_tf.inference.jobs import find, plan
from cyclegan_tf.inference.pixels import translate_all
from cyclegan_tf.model.networks import build_generator
from cyclegan_tf.runs import generators, saved
from tests.helpers import (
    assert_one_line_error,
    random_values,
    run_here,
    tiny_config,
    write_run,
)

GREY16 = Domain(1, "uint16", 0, 4095)
BANDS = Domain(5, "float32", (-2, 0, 0, 100, -1), (3, 1, 2, 900, 60000))
FORMS = {"grey16 to rgb": Domains(GREY16, Domain()), "bands": Domains(BANDS, GREY16)}


def save_run(path, domains):
    """A run directory with generators of random weights that give much contrast."""
    keras.utils.set_random_seed(0)
    models = {}
    for direction in saved.DIRECTIONS:
        source, target = domains.of(direction)
        model = build_generator(2, 1, source.channels, out_channels=target.channels)
        for variable in model.variables:
            if "kernel" in variable.path:
                variable.assign(variable * 10)
        models[direction] = model
    return write_run(tiny_config(path, run_dir=str(path)), models, domains, step=None)


@pytest.fixture(scope="module", params=FORMS)
def exported(request, tmp_path_factory):
    """Domains, run, exports of it, and what was kept of each format."""
    path, domains = tmp_path_factory.mktemp("forms"), FORMS[request.param]
    run_dir = save_run(path / "run", domains)
    # LiteRT has few operators for 16 bits, and all for floats.
    formats = "savedmodel,onnx" + ",litert" * (domains.a is GREY16)
    config = ExportConfig(str(run_dir), str(path / "out"), format=formats)
    return domains, run_dir, path / "out", list(exporter.export(config))


def test_export_keeps_types_and_channels_and_equals_keras(exported):
    domains, run_dir, output, reports = exported
    for report in reports:
        signatures = {row.signature for row in report.comparisons}
        has_bytes = report.form.is_served and domains.are_encodable
        assert ("a_to_b_bytes" in signatures) == has_bytes
    for direction, generator in generators.load_generators(run_dir).items():
        source, target = domains.of(direction)
        images = random_values(source, 2, 22, 33)
        expected = translate_all(generator, images, source, target)
        span = np.subtract(target.high, target.low)
        assert (np.ptp(expected, axis=(0, 1, 2)) > span / 10).all()
        for model in (run_dir, output):
            translated = cyclegan_tf.load(model, direction)(images)
            assert translated.dtype == target.dtype
            difference = np.abs(translated.astype(float) - expected)
            assert (difference <= np.maximum(1, 1e-3 * span)).all()
            with pytest.raises(ValueError, match=f"expected {source.dtype}"):
                cyclegan_tf.load(model, direction)(images.astype(np.int64))


def test_floats_that_are_no_numbers_are_refused_by_the_graph(exported):
    domains, _, output, _ = exported
    # Integers are not looked through.
    is_checked = b"IsFinite" in (output / "1" / "saved_model.pb").read_bytes()
    assert is_checked == ("float32" in (domains.a.dtype, domains.b.dtype))
    signatures = tf.saved_model.load(str(output / "1")).signatures
    for direction in saved.DIRECTIONS:
        source, _ = domains.of(direction)
        images = random_values(source, 2, 20, 24)
        signatures[direction](images=tf.constant(images))
        for value in (np.nan, np.inf) if source.dtype == "float32" else ():
            images[1, 3, 4, 0] = value
            with pytest.raises(tf.errors.InvalidArgumentError, match="got NaN or inf"):
                signatures[direction](images=tf.constant(images))


def test_card_and_warm_up_requests_are_of_the_domains(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    domains, _, output, reports = exported
    extra = output / "1" / "assets.extra"
    card = (extra / "MODEL_CARD.md").read_text()
    assert f"{domains.a.dtype} [N, H, W, {domains.a.channels}]" in card
    assert ("No signature takes files' bytes" in card) != domains.are_encodable
    requests = {}
    for record in tf.data.TFRecordDataset(str(extra / "tf_serving_warmup_requests")):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        sent = log.predict_log.request
        requests[sent.model_spec.signature_name] = sent.inputs
    assert set(requests) == {row.signature for row in reports[0].comparisons}
    for direction in saved.DIRECTIONS:
        source, _ = domains.of(direction)
        images = tf.make_ndarray(requests[direction]["images"])
        assert images.dtype == source.dtype and images.shape[-1] == source.channels


def test_identity_returns_the_last_bit_of_16(tmp_path, capsys):
    domain = Domain(1, "uint16", 0, 65535)
    inputs = keras.Input((None, None, 1))
    same = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    domains, config = Domains(domain, domain), ExportConfig()
    images = np.arange(2**16, dtype=np.uint16).reshape(1, 256, 256, 1)
    for name, write in WRITERS.items():
        folder = tmp_path / name
        folder.mkdir()
        write({"a_to_b": same}, domains, folder, config)
        if name != "savedmodel":
            run = run_exported.RUNNERS[name](folder).run
            np.testing.assert_array_equal(run("a_to_b", images), images)
    checksums.write_sums(tmp_path / "savedmodel", exported_models.SUMS)
    (tmp_path / "in").mkdir()
    stack = np.stack([images[0, ..., 0], np.zeros((256, 256), np.uint16)])
    tifffile.imwrite(tmp_path / "in" / "stored.tif", stack)
    (tmp_path / "in" / "image.png").write_bytes(imagecodecs.png_encode(images[0]))
    np.save(tmp_path / "in" / "array.npy", images[0])
    arguments = "--model", tmp_path / "savedmodel", tmp_path / "in", tmp_path / "out"
    done = run_here(capsys, "translate", *arguments)
    assert "3 translated, 0 there before, 0 failed" in done.stdout, done.stderr
    assert re.search("of '.*stored.tif': .*first of 2 pages", done.stderr)
    stored = tifffile.imread(tmp_path / "out" / "stored.tif")
    np.testing.assert_array_equal(stored, images[0, ..., 0])
    for name in ("image", "array"):
        png = (tmp_path / "out" / f"{name}.png").read_bytes()
        np.testing.assert_array_equal(imagecodecs.png_decode(png), images[0, ..., 0])


def test_folder_becomes_what_the_target_domain_is(exported, tmp_path, capsys):
    domains, run_dir, output, _ = exported
    for direction, tile in (("a_to_b", []), ("b_to_a", ["--tile"])):
        source, target = domains.of(direction)
        folder, out = tmp_path / direction, tmp_path / f"out-{direction}"
        folder.mkdir()
        (image,) = random_values(source, 1, 30, 41)
        np.save(folder / "one.npy", image)
        np.save(folder / "other.npy", np.zeros((30, 41, 2), np.uint8))
        arguments = ("--direction", direction, folder, out, *tile)
        done = run_here(capsys, "translate", "--model", run_dir, *arguments)
        assert done.returncode == 1
        assert re.search("other.npy.*is uint8 with 2 channels; the model", done.stderr)
        (path,) = out.iterdir()
        assert path.name == ("one.png" if target.is_encodable else "one.tif")
        read = imagecodecs.png_decode if target.is_encodable else tifffile.imread
        pixels = read(path.read_bytes() if target.is_encodable else path)
        assert pixels.dtype == target.dtype
        expected = cyclegan_tf.load(output, direction)(image)
        difference = np.abs(pixels.reshape(expected.shape) - expected.astype(float))
        span = np.subtract(target.high, target.low)
        assert (difference <= np.maximum(1, 1e-3 * span)).all()


def test_every_export_knows_its_form_and_fills_nodata_as_its_run_does(
    exported, tmp_path
):
    domains, run_dir, output, _ = exported
    (image,) = random_values(domains.a, 1, 30, 41)
    tag = (42113, 2, 3, "7", True)
    image[:20, :30] = 7
    path = tmp_path / "one.tif"
    how = {"planarconfig": "contig"} if domains.a.channels > 1 else {}
    tifffile.imwrite(path, np.squeeze(image), metadata=None, extratags=[tag], **how)
    expected = None
    for model in (run_dir, output, *output.glob("[ol]*")):  # ONNX, LiteRT
        translate = cyclegan_tf.load(model, "a_to_b")
        assert (translate.source, translate.target) == domains
        frame = None if model == run_dir else tiny_config(path).frame
        assert translate.frame == frame
        out = tmp_path / f"{model.parent.name}-{model.name}"
        jobs = plan(find(str(path), str(out)), "tiff", domains.b)
        assert files.translate_files(jobs, translate, 1, False) == {"translated": 1}
        found = tifffile.imread(out / "one.tif")[..., None].astype(float)
        expected = found if expected is None else expected
        assert np.abs(found - expected).max() <= 1


def test_damaged_form_of_an_export_is_named_and_a_missing_one_is_none(
    exported, tmp_path
):
    folder = shutil.copytree(exported[2] / "onnx" / "1", tmp_path / "model")
    (folder / checksums.SUMS).unlink()
    (folder / "form.json").write_text('{"a": {"channels": 1, "low": [0, 1]}}')
    with pytest.raises(InputError, match=r"form\.json is damaged .* export it again"):
        cyclegan_tf.load(folder)
    (folder / "form.json").unlink()
    source, _ = exported[0]
    translate = cyclegan_tf.load(folder, "a_to_b")
    assert translate.source == Domain(source.channels, source.dtype)


def test_format_that_cannot_hold_the_target_is_refused_first(tmp_path, capsys):
    run_dir = save_run(tmp_path / "run", Domains(Domain(), Domain(40, "float32", 0, 1)))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "unread.png").touch()
    for output, flags, named in (
        (tmp_path / "out", ["--format", "jpeg"], "--format jpeg: "),
        (tmp_path / "out.png", [], tmp_path / "out.png"),
    ):
        given = tmp_path / "in" / ("unread.png" if output.suffix else "")
        done = run_here(capsys, "translate", "--model", run_dir, given, output, *flags)
        assert_one_line_error(done, named, "cannot hold float32 with 40 channels")
        assert not output.exists()
