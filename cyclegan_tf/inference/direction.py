"""One direction of a trained model, to be called with pictures."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from cyclegan_tf.config.sizes import MIN_SIDE, Frame
from cyclegan_tf.data.arrays import UnreadableImage
from cyclegan_tf.data.domain import Domain

# A call takes at most this many pixels, or else one picture.
MAX_BATCH_PIXELS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Translator:
    """One direction of a trained model, to be called with pictures.

    Attributes:
        source, target: the form of what it takes and gives. Of an export that says no
            `frame` either, the ranges in it are not known.
        function: from arrays `(count, height, width, channels)` to the same, of any
            count and size; raises `UnreadableImage` for what is too large.
        size: height and width, of a model that takes no other pictures.
        megabytes: of its weights, or its file; 10^6 bytes.
        generator: the Keras model, of a run.
        frame: what it was trained to see of a picture, if that is known.
    """

    source: Domain
    target: Domain
    function: Callable[[np.ndarray], np.ndarray]
    size: tuple[int, int] | None = None
    megabytes: float = 0.0
    generator: Any = None
    frame: Frame | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Translates pictures.

        Args:
            images: one picture `(height, width, channels)`, or several of one size
                `(count, height, width, channels)`, of the type and channels of
                `source`, sides from 16 px on.

        Returns:
            As many, perhaps none, of the same size, of the type and channels of
            `target`.

        Raises:
            ValueError: another type or shape, or values that are no numbers.
            UnreadableImage: too large for the model or the memory, or not of the one
                size that the model takes.
        """
        images = np.asarray(images)
        self._require_fitting(images)
        shape = *images.shape[:-1], self.target.channels
        if not len(images):
            return np.empty(shape, self.target.dtype)
        return self.function(images.reshape((-1, *images.shape[-3:]))).reshape(shape)

    def each(self, images: np.ndarray) -> Iterator[np.ndarray | UnreadableImage]:
        """Translates several pictures, one by one where they are too much at once.

        Yields:
            Each translation, or why there is none.
        """
        try:
            yield from self(images)
        except UnreadableImage as error:
            if len(images) == 1:
                yield error
            else:
                for image in images:
                    yield from self.each(image[None])

    def stream(
        self, pictures: Iterable[tuple[Any, np.ndarray]], batch_size: int
    ) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """Translates pictures of one size as they come, some per call.

        These are at most `batch_size`, and fewer where pictures are large. What comes
        with a picture is yielded before it and its translation. Raises
        `UnreadableImage` if one cannot be translated.
        """
        pictures = iter(pictures)
        while first := list(itertools.islice(pictures, 1)):
            height, width, _ = first[0][1].shape
            more = count_at_once(batch_size, height, width) - 1
            batch = first + list(itertools.islice(pictures, more))
            fakes = self.each(np.stack([pixels for _, pixels in batch]))
            for (what, pixels), fake in zip(batch, fakes, strict=True):
                if isinstance(fake, UnreadableImage):
                    raise fake
                yield what, pixels, fake

    def _require_fitting(self, images):
        channels, dtype = self.source.channels, self.source.dtype
        is_fitting = images.ndim in (3, 4) and images.shape[-1] == channels
        is_large = min(images.shape[-3:-1], default=0) >= MIN_SIDE
        if images.dtype != dtype or not is_fitting or not is_large:
            raise ValueError(
                f"expected {dtype} (height, width, {channels}) or (count, height, "
                f"width, {channels}), sides from {MIN_SIDE} on, got {images.dtype} "
                f"{images.shape}."
            )
        height, width = images.shape[-3:-1]
        if self.size not in (None, (height, width)):
            raise UnreadableImage(
                f"{height}x{width} pixels (height x width); this model takes "
                f"{self.size[0]}x{self.size[1]} only, as it was exported for that size"
            )
        if dtype == "float32" and not np.isfinite(images).all():
            raise ValueError("expected numbers, got NaN or infinity among them.")


def count_at_once(batch_size: int, height: int, width: int) -> int:
    """How many pictures of a size a call takes."""
    return min(batch_size, max(1, MAX_BATCH_PIXELS // (height * width)))
