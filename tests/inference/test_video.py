import resource
import shutil
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import Domain
from cyclegan_tf.inference import files, video
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.jobs import find, plan_all
from tests.helpers import random_pixels, run_here, write_images

RGB = Domain()
SAME = Translator(RGB, RGB, lambda images: images)
NEGATIVE = Translator(RGB, RGB, lambda images: 255 - images)
RATE, SOUND_RATE = 25, 48000


def moving(count, size=(48, 64)):
    """Frames of a picture that moves by a pixel a frame."""
    height, width = size
    wide = random_pixels(height, width + count, seed=3)
    return [wide[:, i : i + width] for i in range(count)]


def write_video(
    path, frames, ticks=None, codec="libx264", sound="aac", time_base=None, **options
):
    """Writes RGB frames, at times in ticks, a tone of the same length, and a title.

    The options are of the container, or of x264.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as container:
        container.metadata["title"] = "Harbour"
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        if time_base:
            stream.time_base = stream.codec_context.time_base = time_base
        tone = container.add_stream(sound, rate=SOUND_RATE) if sound else None
        for tick, pixels in zip(ticks or range(len(frames)), frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, time_base or Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            write_tone(container, tone, len(frames) / RATE)
    return path


def write_tone(container, stream, seconds):
    time = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    wave = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    for start in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(
            np.stack([wave[start : start + 1024]] * 2), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = SOUND_RATE, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def times_and_frames(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [frame.pts * frame.time_base for frame in frames]
        return times, np.stack([x.to_ndarray(format="rgb24") for x in frames])


def sound_of(path):
    """The packets of the first stream of sound: times and bytes."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.dts is not None]
        return [(float(p.pts * p.time_base), bytes(p)) for p in packets]


def translated(source, target, translate=SAME, batch_size=4, steady=False):
    """Translates one video, or a folder; returns what became of it."""
    planned = plan_all(find(str(source), str(target)), "auto", translate.target)
    jobs, outcome = video.video_jobs(planned, translate), files.Outcome()
    video.translate_videos(jobs, translate, batch_size, False, steady, outcome)
    return outcome


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two thirds of a second with sound; not to be changed."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", moving(16))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_size_and_sound_are_kept(clip, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    assert translated(clip, out, NEGATIVE) == {"translated": 1}
    times, frames = times_and_frames(clip)
    got_times, got = times_and_frames(out)
    # Matroska, which has no times before 0, starts when AAC's silence does.
    late = [float(a - b) for a, b in zip(got_times, times, strict=True)]
    assert np.ptp(late) == 0 and 0 <= late[0] < 0.022
    assert suffix == ".mkv" or not late[0]
    assert got.shape == frames.shape
    assert np.abs(got.astype(float) - (255 - frames)).mean() < 4
    sound, got_sound = sound_of(clip), sound_of(out)
    assert [data for _, data in got_sound] == [data for _, data in sound]
    lags = [a - b for (a, _), (b, _) in zip(got_sound, sound, strict=True)]
    assert np.allclose(lags, late[0], atol=0.001)


def test_variable_frame_rate_is_kept(tmp_path):
    ticks = [0, 1000, 1500, 4000, 4100, 9000, 9001, 12000]
    base = Fraction(1, 12345)
    source = write_video(
        tmp_path / "in.mp4", moving(8), ticks, sound=None, time_base=base
    )
    translated(source, tmp_path / "out.mp4", batch_size=3)
    assert times_and_frames(source)[0] == [tick * base for tick in ticks]
    assert times_and_frames(tmp_path / "out.mp4")[0] == [tick * base for tick in ticks]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_odd_size_is_kept(tmp_path, suffix):
    frames, codecs = moving(6, (33, 47)), {"codec": "libvpx-vp9", "sound": "libopus"}
    source = write_video(tmp_path / "in.webm", frames, **codecs)
    translated(source, tmp_path / f"out{suffix}")
    frames = times_and_frames(source)[1]
    got = times_and_frames(tmp_path / f"out{suffix}")[1]
    assert got.shape == frames.shape == (6, 33, 47, 3)
    assert np.abs(got.astype(float) - frames).mean() < 4
    assert sound_of(source)


# What the header of the track says: x is a * x + c * y, and y b * x + d * y.
@pytest.mark.parametrize(
    "matrix, upright",
    [
        ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
        ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
        ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
    ],
)
def test_turned_video_becomes_upright(clip, tmp_path, matrix, upright):
    data = clip.read_bytes()
    place = data.index(b"tkhd") + 44
    ones = [number * 0x10000 for number in matrix]
    cells = [*ones[:2], 0, *ones[2:], 0]
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(
        data[:place] + np.array(cells, ">i4").tobytes() + data[place + 24 :]
    )
    translated(turned, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.side_data.get("DISPLAYMATRIX") is None
        got = frame.to_ndarray(format="rgb24").astype(float)
    expected = upright(times_and_frames(clip)[1][0])
    assert got.shape == expected.shape
    assert np.abs(got - expected).mean() < 4


@pytest.mark.parametrize("colour", [(200, 30, 40), (20, 180, 60), (30, 60, 210)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_are_kept_and_named(tmp_path, colour, suffix):
    frames = [np.full((48, 64, 3), colour, np.uint8)] * 3
    source = write_video(tmp_path / "in.mp4", frames, sound=None)
    out = tmp_path / f"out{suffix}"
    translated(source, out)
    for path in (source, out):
        got = times_and_frames(path)[1]
        assert np.abs(got.astype(int) - colour).max() <= 4
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.colorspace == 1  # BT.709


def test_sound_that_the_container_cannot_hold_is_named(clip, tmp_path, capsys):
    assert translated(clip, tmp_path / "out.webm") == {"translated": 1}
    assert "the sound (aac) is left out" in capsys.readouterr().err
    with av.open(str(tmp_path / "out.webm")) as container:
        assert not container.streams.audio


@pytest.mark.parametrize(
    "name, codec, sound",
    [("x.avi", "mpeg4", "libmp3lame"), ("x.mts", "mpeg2video", "mp2")],
)
def test_other_kinds_become_matroska_from_zero(tmp_path, name, codec, sound):
    source = write_video(tmp_path / "in" / name, moving(16), codec=codec, sound=sound)
    assert translated(tmp_path / "in", tmp_path / "out") == {"translated": 1}
    times, frames = times_and_frames(source)
    got_times, got = times_and_frames(tmp_path / "out" / "x.mkv")
    with av.open(str(source)) as container:
        start = container.start_time / 1e6
    assert np.allclose(
        np.array(got_times, float), np.array(times, float) - start, atol=1e-3
    )
    assert np.abs(got.astype(float) - frames).mean() < 4
    assert [x for _, x in sound_of(tmp_path / "out" / "x.mkv")] == [
        x for _, x in sound_of(source)
    ]


def spoiled(data):
    middle, noise = len(data) // 2, np.random.default_rng(0).bytes(600)
    return data[:middle] + noise + data[middle + len(noise) :]


def song(path):
    with av.open(str(path), "w") as container:
        write_tone(container, container.add_stream("aac", rate=SOUND_RATE), 0.5)


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n"
# What is written in the place of a video, and what is said of it.
BAD = {
    "text": (lambda path, clip: path.write_bytes(b"hello\n" * 9), "no video"),
    "empty": (lambda path, clip: path.touch(), "no video"),
    "playlist": (lambda path, clip: path.write_bytes(PLAYLIST), "no video"),
    "cut": (lambda path, clip: path.write_bytes(clip[: len(clip) // 2]), "damaged"),
    "damaged": (lambda path, clip: path.write_bytes(spoiled(clip)), "damaged"),
    "song": (lambda path, clip: song(path), "it has no video stream"),
    "low": (lambda path, clip: write_video(path, moving(3, (8, 64))), "than 16x16"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_video_is_named_and_leaves_nothing(clip, tmp_path, capsys, name):
    write, reason = BAD[name]
    source = tmp_path / "in" / f"{name}.mp4"
    source.parent.mkdir()
    write(source, clip.read_bytes())
    shutil.copy(clip, source.with_name("whole.mp4"))
    outcome = translated(source.parent, tmp_path / "out")
    assert outcome == {"translated": 1, "failed": 1}
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "failed" in x]
    assert str(source) in line and reason in line
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole.mp4"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cut_video_is_refused_wherever_its_index_is(tmp_path, suffix):
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    noise = np.random.default_rng(0).integers(0, 256, (75, 48, 64, 3), np.uint8)
    source = write_video(tmp_path / f"whole{suffix}", list(noise), **options)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert translated(cut, tmp_path / f"out{suffix}") == {"failed": 1}
    assert {x.name for x in tmp_path.iterdir()} == {source.name, cut.name}


def test_failing_model_leaves_nothing(clip, tmp_path):
    def function(images):
        raise UnreadableImage("too large for the memory")

    outcome = translated(clip, tmp_path / "out.mp4", Translator(RGB, RGB, function))
    assert outcome == {"failed": 1} and not list(tmp_path.iterdir())


def test_frames_that_are_too_much_at_once_go_one_by_one(clip, tmp_path):
    def function(images):
        if len(images) > 1:
            raise UnreadableImage("too large")
        return images

    translate = Translator(RGB, RGB, function)
    assert translated(clip, tmp_path / "out.mp4", translate) == {"translated": 1}
    assert len(times_and_frames(tmp_path / "out.mp4")[0]) == 16


def test_model_of_other_images_is_refused(clip, tmp_path):
    grey = Domain(1, "uint16", 0, 4095)
    for domains in ((grey, RGB), (RGB, grey)):
        with pytest.raises(InputError, match=r"clip\.mp4: videos need .* 8-bit RGB"):
            translated(clip, tmp_path / "out.mp4", Translator(*domains, None))


@pytest.mark.parametrize("name", ["scan.nii", "photo.png"])
@pytest.mark.parametrize("need", ["a model of 8-bit RGB", "PyAV"])
def test_video_is_left_out_beside_others_where_something_is_missing(
    clip, tmp_path, monkeypatch, capsys, name, need
):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).touch()
    shutil.copy(clip, tmp_path / "in" / "clip.mp4")
    translate = Translator(Domain(1), Domain(1), None)
    if need == "PyAV":
        monkeypatch.setitem(sys.modules, "av", None)
        translate = SAME
    assert translated(tmp_path / "in", tmp_path / "out", translate) == {}
    said = capsys.readouterr().err
    assert f"clip.mp4: left out, of 1; videos need {need}" in said


def test_missing_package_is_named(clip, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"clip\.mp4: .*pip install '\.\[video\]'"):
        translated(clip, tmp_path / "out.mp4")


def test_pictures_do_not_wait_for_a_missing_package(
    clip, run_dir, tmp_path, monkeypatch, capsys
):
    write_images(tmp_path / "in", 2)
    shutil.copy(clip, tmp_path / "in" / "clip.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    arguments = ("translate", tmp_path / "in", tmp_path / "out", "--model", run_dir)
    done = run_here(capsys, *arguments)
    assert done.returncode == 0, done.stderr
    assert "clip.mp4: left out, of 1; videos need PyAV" in done.stderr
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"000.png", "001.png"}


@pytest.mark.parametrize("name", ["out.png", "out.avi"])
def test_kind_that_is_not_written_is_refused(clip, tmp_path, name):
    with pytest.raises(InputError, match=f"{name}: a video becomes one of .mp4"):
        translated(clip, tmp_path / name)


def test_full_disk_is_no_fault_of_the_video(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (75, 48, 64, 3), np.uint8)
    source = write_video(tmp_path / "in.mp4", list(noise))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*out\.mp4"):
            translated(source, tmp_path / "out.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [source]


def test_folder_of_pictures_and_videos_is_resumed(clip, run_dir, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    write_images(source, 2)
    (source / "deep").mkdir()
    shutil.copy(clip, source / "deep" / "a b:c.mp4")
    shutil.copy(clip, source / "%d.mov")
    command = ["translate", "--model", run_dir, source, out]
    done = run_here(capsys, *command)
    assert done.returncode == 0, done.stderr
    assert "4 translated, 0 there before, 0 failed" in done.stdout
    assert "a b:c.mp4': 16 frames, flicker" in done.stdout
    names = {str(x.relative_to(out)) for x in out.rglob("*.*")}
    assert names == {"000.png", "001.png", "%d.mov", "deep/a b:c.mp4"}
    (out / "%d.mov").unlink()
    assert "1 translated, 3 there before, 0 failed" in run_here(capsys, *command).stdout


def test_steady_lessens_flicker(tmp_path, capsys):
    rng = np.random.default_rng(0)
    still = [random_pixels(48, 64)] * 12
    source = write_video(tmp_path / "in.mp4", still, sound=None)

    def flickering(images):
        offsets = rng.integers(-20, 20, (len(images), 1, 1, 1))
        return np.clip(images + offsets, 0, 255).astype(np.uint8)

    def change(name, steady):
        translate = Translator(RGB, RGB, flickering)
        translated(source, tmp_path / name, translate, steady=steady)
        frames = times_and_frames(tmp_path / name)[1].astype(int)
        return np.abs(np.diff(frames, axis=0)).mean()

    assert change("steady.mp4", True) < change("plain.mp4", False) / 3


@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(8, 9)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_pixels_that_are_not_square_are_shown_as_wide(tmp_path, suffix, aspect):
    sar = {"x264-params": f"sar={aspect.numerator}/{aspect.denominator}"}
    source = write_video(tmp_path / "in.mp4", moving(4, (72, 90)), **sar)
    out = tmp_path / f"out{suffix}"
    assert translated(source, out) == {"translated": 1}
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        shown = stream.width * (stream.sample_aspect_ratio or 1) / stream.height
        assert abs(shown / (90 * aspect / 72) - 1) < 0.01
        assert container.metadata["title"] == "Harbour"


def test_interlaced_video_is_said_to_become_progressive(tmp_path, capsys):
    source = write_video(tmp_path / "in.mp4", moving(4), **{"x264-params": "tff=1"})
    assert translated(source, tmp_path / "out.mp4") == {"translated": 1}
    assert "is interlaced, and becomes progressive" in capsys.readouterr().err
    assert translated(tmp_path / "out.mp4", tmp_path / "again.mp4")
    assert "interlaced" not in capsys.readouterr().err
