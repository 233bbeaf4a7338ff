"""Translating videos: frame after frame, in bounded memory, with their sound."""

from cyclegan_tf.common.console import printable, progress_bar, say, show
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.data.arrays import UnreadableImage, require_size
from cyclegan_tf.inference.direction import Translator
from cyclegan_tf.inference.files import Outcome, make_each
from cyclegan_tf.inference.flicker import Flicker, Steadier
from cyclegan_tf.inference.jobs import Job, Plan
from cyclegan_tf.inference.video_files import reading, writing

PQ, HLG = 16, 18  # of ITU-T H.273, brighter than 8 bits are
PROGRESSIVE = 1  # of FFmpeg's field orders; 0 is unknown


def video_jobs(planned: Plan, translate: Translator) -> list[Job]:
    """The videos that are planned, if they can be translated.

    If not, as without PyAV, or by a model that is not of 8-bit RGB, they are left out
    beside pictures and stacks, which is said; where there are only videos, that raises
    `InputError`.
    """
    if not planned.videos or not (need := _need(translate)):
        return planned.videos
    first = planned.videos[0].source
    if not (planned.pictures or planned.stacks):
        raise InputError(f"{first}: {need}")
    say(f"{first}: left out, of {len(planned.videos)}; {need}")
    return []


def _need(translate):
    """What videos need and is not there; or ""."""
    try:
        import av  # noqa: F401
    except ImportError:
        return "videos need PyAV; install with pip install '.[video]'."
    for domain in (translate.source, translate.target):
        if (domain.channels, domain.dtype) != (3, "uint8"):
            return f"videos need a model of 8-bit RGB, and this one has {domain}."
    return ""


def translate_videos(
    jobs: list[Job],
    translate: Translator,
    batch_size: int,
    overwrite: bool,
    is_steadied: bool,
    outcome: Outcome,
) -> None:
    """Translates videos by a model of 8-bit RGB, and goes on over bad ones.

    A call takes at most `batch_size` frames. With `is_steadied` flicker is lessened,
    see `Steadier`. Errors are as of `make_each`.
    """

    def make(job, aside):
        flicker, steadier = Flicker(), Steadier() if is_steadied else None
        what = f"translating {printable(job.source.name)}"
        size = _size_of(job.source)
        with (
            reading(job.source) as video,
            writing(aside, size, video) as writer,
            progress_bar(video.num_frames, what, " frames") as bar,
        ):
            _tell_of_picture(video)
            frames = video.frames(writer.sounds, writer.copy)
            for ticks, real, fake in translate.stream(frames, batch_size):
                if steadier:
                    fake = steadier(real, fake)
                flicker.update(real, fake)
                writer.write(ticks, fake)
                bar.update()
        show(f"{str(job.target)!r}: {flicker}")

    make_each(jobs, overwrite, outcome, make)


def _tell_of_picture(video):
    """Says what of the picture is lost in a translation."""
    context = video.stream.codec_context
    if context.color_trc in (PQ, HLG):
        say(f"{str(video.path)!r} is HDR, which becomes paler in 8 bits")
    if context.field_order > PROGRESSIVE:
        say(
            f"{str(video.path)!r} is interlaced, and becomes progressive with both "
            f"fields"
        )


def _size_of(path):
    """Height and width of the upright frames of a video file."""
    with reading(path) as video:
        for _, pixels in video.frames({}, lambda packet: None):
            require_size(*pixels.shape)
            return pixels.shape[:2]
    raise UnreadableImage("it has no frames")
