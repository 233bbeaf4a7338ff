"""Frames of video files as arrays, and arrays as video files, by way of PyAV.

PyAV brings FFmpeg along and is imported within, as it is of the extra `video`.
"""

import contextlib
import dataclasses
import errno
import pathlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from cyclegan_tf.common.console import say
from cyclegan_tf.data.arrays import UnreadableImage

# What is written, and FFmpeg's name of it.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
# What is read: no playlists, which name further files and addresses.
DEMUXERS = "mov,matroska,avi,mpeg,mpegts,asf,flv,ogg"
# Both are visually lossless, or nearly so.
H264 = "libx264", {"crf": "18", "preset": "medium"}
VP9 = "libvpx-vp9", {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"}
# Numbers of ITU-T H.273.
BT709, UNSPECIFIED = 1, 2
LIMITED_RANGE = 1
# Colours of which nothing is said are taken for BT.709 from this side on, in pixels,
# and below for BT.601, as players do.
HD_SIDE = 1280
# A file ends early if it lacks more of its declared length than this.
MAX_MISSING_SECONDS = 1.0
MICROSECOND = Fraction(1, 10**6)
SYSTEM_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@dataclasses.dataclass(frozen=True)
class Video:
    """A video file that is open for reading; its container and stream are PyAV's."""

    path: pathlib.Path
    container: Any
    stream: Any

    @property
    def num_frames(self) -> int | None:
        """About how many there are, as far as the file says."""
        rate, length = self.stream.average_rate, self.container.duration
        if self.stream.frames or not rate or not length:
            return self.stream.frames or None
        return round(length * MICROSECOND * rate)

    @property
    def start(self) -> Fraction:
        """When it starts, in seconds: cameras and broadcasts begin anywhere."""
        return (self.container.start_time or 0) * MICROSECOND

    def frames(
        self, sounds: dict, copy: Callable[[Any], None]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Decodes the frames in the order in which they are shown.

        Packets of the streams `sounds` go to `copy` as they come. Raises
        `UnreadableImage` if it is damaged, ends early, or its size changes.

        Yields:
            The time from the start, in ticks of `stream.time_base`, and upright uint8
            `(height, width, 3)`.
        """
        end, last, size = Fraction(0), -1, None
        for packet in self._packets(list(sounds)):
            if packet.is_corrupt:
                raise UnreadableImage("damaged, or ends early")
            if packet.pts is not None:
                length = packet.duration or 0
                end = max(end, (packet.pts + length) * packet.time_base)
            if packet.stream is not self.stream:
                if packet.dts is not None:
                    copy(packet)
                continue
            with _unreadable():
                frames = packet.decode()
            start = round(self.start / self.stream.time_base)
            for frame in frames:
                size = size or (frame.width, frame.height)
                if size != (frame.width, frame.height):
                    raise UnreadableImage("the size of its frames changes")
                pts = frame.dts if frame.pts is None else frame.pts
                # Without time stamps, or twice the same, one tick after the other.
                last = max(last + 1, (pts or 0) - start)
                yield last, _pixels(frame)
        declared = (self.container.duration or 0) * MICROSECOND
        if declared and end - self.start < declared - MAX_MISSING_SECONDS:
            raise UnreadableImage(
                f"ends after {float(end - self.start):.1f} of {float(declared):.1f} s"
            )

    def _packets(self, sounds):
        with _unreadable():
            yield from self.container.demux(self.stream, *sounds)


@contextlib.contextmanager
def reading(path: pathlib.Path) -> Iterator[Video]:
    """Opens a video file; `UnreadableImage` if it is none, or none that is read."""
    import av

    if not path.is_file():
        raise UnreadableImage("not a regular file")
    with _unreadable():
        container = av.open(
            f"file:{path}",  # a name with a colon would be an address
            options={"format_whitelist": DEMUXERS},
            metadata_errors="replace",
        )
    with container:
        cover = av.stream.Disposition.attached_pic
        streams = [x for x in container.streams.video if not x.disposition & cover]
        if not streams:
            raise UnreadableImage("it has no video stream")
        stream = streams[0]
        if stream.codec_context is None:
            raise UnreadableImage("its video is of a kind that is not read")
        # Else damaged frames would be guessed.
        stream.codec_context.options = {"err_detect": "explode"}
        yield Video(path, container, stream)


@contextlib.contextmanager
def writing(
    path: pathlib.Path, size: tuple[int, int], video: Video
) -> Iterator["Writer"]:
    """Opens a file to be written, with the time base and the sound of another video.

    Sound that it cannot hold is said to be left out. The suffix is one of `CONTAINERS`;
    if height or width is odd, H.264 has colours of full resolution. Raises `OSError`
    for a full disk and the like, `UnreadableImage` for what the container cannot hold.
    """
    import av

    name = CONTAINERS[path.suffix.lower()]
    options = {"movflags": "faststart"} if name in ("mp4", "mov") else {}
    codec, settings = VP9 if name == "webm" else H264
    is_halved = name == "webm" or not (size[0] % 2 or size[1] % 2)
    source = video.stream
    with (
        _unwritable(path),
        av.open(f"file:{path}", "w", format=name, options=options) as container,
    ):
        rate = source.average_rate or source.guessed_rate or 25
        stream = container.add_stream(codec, rate=rate, options=settings)
        context = stream.codec_context
        aspect = source.sample_aspect_ratio or Fraction(1)
        if size != (source.height, source.width):  # it was turned
            aspect = 1 / aspect
        context.height, context.width = size
        if name == "webm":  # which PyAV cannot tell the aspect
            context.width, aspect = round(size[1] * aspect), Fraction(1)
        context.pix_fmt = "yuv420p" if is_halved else "yuv444p"
        context.time_base = stream.time_base = source.time_base
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        context.sample_aspect_ratio = aspect
        if title := video.container.metadata.get("title"):
            container.metadata["title"] = title
        sounds = {}
        for sound in video.container.streams.audio:
            coder = sound.codec_context
            kind = coder.codec.canonical_name if coder else "unknown"
            if kind in container.supported_codecs:
                sounds[sound] = container.add_stream_from_template(sound)
            else:
                named = f"of {str(video.path)!r} the sound ({kind})"
                say(f"{named} is left out; .mkv holds most")
        yield Writer(container, stream, sounds, video.start)
        container.mux(stream.encode(None))


@dataclasses.dataclass(frozen=True)
class Writer:
    """A video file that is open for writing.

    Attributes:
        container, stream: of PyAV.
        sounds: the streams that are copied, and what they become.
        start: of the video that they are of, in seconds.
    """

    container: Any
    stream: Any
    sounds: dict
    start: Fraction

    def copy(self, packet) -> None:
        """Writes a packet of sound as it is."""
        start = round(self.start / packet.time_base)
        packet.dts -= start
        if packet.pts is not None:
            packet.pts -= start
        packet.stream = self.sounds[packet.stream]
        self.container.mux(packet)

    def write(self, ticks: int, pixels: np.ndarray) -> None:
        """Writes uint8 `(height, width, 3)` at a time in ticks of the time base."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(
            self.stream.codec_context.width,
            self.stream.codec_context.height,
            self.stream.codec_context.pix_fmt,
            dst_colorspace="ITU709",
        )
        frame.pts, frame.time_base = ticks, self.stream.codec_context.time_base
        self.container.mux(self.stream.encode(frame))


def _pixels(frame):
    is_hd = max(frame.height, frame.width) >= HD_SIDE
    is_untold = frame.colorspace == UNSPECIFIED
    told = {"src_colorspace": "ITU709"} if is_untold and is_hd else {}
    pixels = frame.to_ndarray(format="rgb24", **told)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return pixels if matrix is None else _turned(pixels, np.frombuffer(matrix, "i4"))


def _turned(pixels, matrix):
    """Turns and mirrors by steps of 90 degrees: x is a * x + c * y, y b * x + d * y."""
    a, b, _, c, d = matrix[:5]
    across, down = a, d
    if abs(b) > abs(a):
        pixels, across, down = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


@contextlib.contextmanager
def _unreadable():
    """FFmpeg's errors as ours, where a file is read."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        raise UnreadableImage(f"damaged, or no video ({error.strerror})") from None


@contextlib.contextmanager
def _unwritable(path):
    """FFmpeg's errors where a file is written: of the system, or of what is written."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if error.errno in SYSTEM_ERRORS:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise UnreadableImage(
            f"{path.suffix} does not take what is in it ({error.strerror})"
        ) from None
