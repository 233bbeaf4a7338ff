"""The trained generators of a run on disk, in its folder `model/`.

gen_ab.keras  translates A to B: float32 RGB in [-1, 1], sides multiples of 4
gen_ba.keras  translates B to A, likewise
model.json    where they come from, their architecture and checksums

A run may have one direction only. Models are Keras' own format, for others to load;
here only the weights are read from them, into networks that this package builds. No
code and no configuration of a file is run.
"""

import pathlib
import zipfile
from typing import Any, NamedTuple

import h5py
import keras

from cyclegan_tf.common import checksums, errors, files
from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import current, folder_written_aside
from cyclegan_tf.model.networks import InstanceNormalization, build_generator
from cyclegan_tf.runs.checkpoint import BEST, find, read_arrays, read_best

DIRECTIONS = {"a_to_b": "gen_ab", "b_to_a": "gen_ba"}
FOLDER = "model"
ABOUT = "model.json"
CHECKPOINTS = "checkpoints"
LAST = "last"
REMEDY = "the train.py command of the run, or a new import, writes it anew"
KERAS_FILES = {"metadata.json", "config.json", "model.weights.h5"}


def save_generators(
    run_dir: pathlib.Path,
    generators: dict[str, keras.Model],
    about: dict[str, Any],
    run_id: str = "",
) -> None:
    """Writes the generators of a run, replacing those there all at once.

    Args:
        run_dir: directory of the run.
        generators: models by direction, "a_to_b" and "b_to_a" or one of them.
        about: what to say of them in `model.json`, such as dataset and step.
        run_id: of the run, which the file is to bear.
    """
    has = architecture(next(iter(generators.values())))
    about = {
        **about,
        "run_id": run_id,
        "directions": list(generators),
        "filters": has.filters,
        "residual_blocks": has.residual_blocks,
        "norm": has.norm,
        "upsampling": has.upsampling,
        "keras": keras.__version__,
    }
    with folder_written_aside(run_dir / FOLDER) as aside:
        paths = {d: aside / f"{DIRECTIONS[d]}.keras" for d in generators}
        for direction, generator in generators.items():
            generator.save(paths[direction])
        about["checksums"] = {
            d: checksums.file_digest(path) for d, path in paths.items()
        }
        files.write_json(aside / ABOUT, about)


def load_generators(
    run_dir: pathlib.Path, checkpoint: str = LAST
) -> dict[str, keras.Model]:
    """The trained generators of a run by direction, "a_to_b" and "b_to_a".

    A direction that the run does not have is left out.

    Args:
        run_dir: directory of the run.
        checkpoint: "last", those of the last finished epoch; "best", of the best
            score; or the step of a checkpoint that is still there.

    Raises:
        InputError: there is no run, no trained model yet, no such checkpoint, or a
            damaged file.
    """
    return load(run_dir, checkpoint)[0]


def load(
    run_dir: pathlib.Path, checkpoint: str = LAST
) -> tuple[dict[str, keras.Model], int | None]:
    """Like `load_generators`, with the step that they are of; of imports, None.

    A run that goes on meanwhile may write other ones; all are of one step.
    """
    while True:
        before = _source(run_dir, checkpoint)
        try:
            generators = _load_all(run_dir, checkpoint, before[0])
        except InputError:
            if _source(run_dir, checkpoint) == before:
                raise
        else:
            if _source(run_dir, checkpoint) == before:
                return generators, _step(checkpoint, *before)


def _source(run_dir, checkpoint):
    """What says of which step those files are that a run replaces."""
    about = read_about(run_dir)
    return about, read_best(run_dir / CHECKPOINTS) if checkpoint == BEST else {}


def _step(checkpoint, about, best):
    if checkpoint in (LAST, BEST):
        return (about if checkpoint == LAST else best).get("step")
    return int(checkpoint)


def _load_all(run_dir, checkpoint, about):
    generators = {}
    for direction, name in DIRECTIONS.items():
        if direction not in about["directions"]:
            continue
        if checkpoint == LAST:
            path = current(run_dir / FOLDER) / f"{name}.keras"
            generators[direction] = _load(path, about, direction)
        else:
            path = find(run_dir / CHECKPOINTS, checkpoint)
            arrays = read_arrays(path, about["run_id"], f"{name}/")
            generators[direction] = _restored(path, arrays, about, name)
    return generators


def require_whole(run_dir: pathlib.Path) -> None:
    """Compares the files of `model/` with their checksums.

    Raises:
        InputError: one is damaged or missing, or there are none yet.
    """
    about = read_about(run_dir)
    for direction in about["directions"]:
        path = current(run_dir / FOLDER) / f"{DIRECTIONS[direction]}.keras"
        _require_checksum(path, about["checksums"][direction])


def step_of(run_dir: pathlib.Path, checkpoint: str = LAST) -> int | None:
    """The step that `load_generators` takes the generators from; of imports, None."""
    return _step(checkpoint, *_source(run_dir, checkpoint))


def read_about(run_dir: pathlib.Path) -> dict[str, Any]:
    """The content of `model.json`.

    Raises:
        InputError: there is no run, no trained model yet, or a damaged file.
    """
    path = current(run_dir / FOLDER) / ABOUT
    checksums.require_no_links(run_dir)
    try:
        about = files.read_json(path, REMEDY)
        if not set(about["directions"]) <= set(DIRECTIONS) or not about["directions"]:
            raise ValueError(f"directions {about['directions']}")
        for direction in about["directions"]:
            about["checksums"][direction]
        for name in ("filters", "residual_blocks"):
            if not isinstance(about[name], int) or about[name] < (name == "filters"):
                raise ValueError(f"{name} {about[name]}")
        about["run_id"], about["norm"], about["upsampling"]
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(_why_missing(run_dir)) from None
    except (ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} is damaged ({reason}); {REMEDY}.") from None
    return about


class Architecture(NamedTuple):
    """What a generator was built with, see `networks.build_generator`.

    Attributes:
        filters: channels of the first convolution.
        residual_blocks: their number.
        norm: "affine" or "plain".
        norm_is_plain: no norm scales or shifts: none can, or all scales are 1 and all
            offsets 0.
        upsampling: "transpose" or "resize".
    """

    filters: int
    residual_blocks: int
    norm: str
    norm_is_plain: bool
    upsampling: str


def architecture(generator: keras.Model) -> Architecture:
    """The architecture of a generator, read off its layers."""
    norms = [x for x in generator.layers if isinstance(x, InstanceNormalization)]
    is_transposed = isinstance(generator.get_layer("up1"), keras.layers.Conv2DTranspose)
    return Architecture(
        filters=generator.get_layer("stem").filters,
        residual_blocks=sum(x.name.endswith("_sum") for x in generator.layers),
        norm="affine" if any(norm.affine for norm in norms) else "plain",
        norm_is_plain=all(_is_plain(norm) for norm in norms),
        upsampling="transpose" if is_transposed else "resize",
    )


def _is_plain(norm):
    if not norm.affine:
        return True
    scale, offset = norm.get_weights()
    return bool((scale == 1).all() and not offset.any())


def _why_missing(run_dir):
    if not run_dir.is_dir():
        return f"{run_dir}: no such run directory; train one with train.py."
    if not (run_dir / "config.json").is_file():
        return f"{run_dir} is not the directory of a run: it has no config.json."
    return (
        f"{run_dir} has no trained model yet ({FOLDER}/{ABOUT}); one is written after "
        f"each epoch."
    )


def _load(path, about, direction):
    _require_checksum(path, about["checksums"][direction])
    try:
        _require_plain_weights(path)
        generator = _build(about, DIRECTIONS[direction], path)
        generator.load_weights(path)
    except (
        *(ValueError, TypeError, OSError, KeyError, EOFError, AttributeError),
        *(RuntimeError, zipfile.BadZipFile),
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be loaded ({reason}).") from None
    return generator


def _require_checksum(path, digest):
    try:
        found = checksums.file_digest(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {REMEDY}.") from None
    if found != digest:
        raise errors.Damaged(
            f"{path} is damaged: its checksum is not that of {ABOUT}; {REMEDY}. "
            f"--checkpoint takes the step of a checkpoint instead."
        )


def _build(about, name, path):
    """A generator as `model.json` describes it, if a file is long enough to fill it."""
    filters, blocks = about["filters"], about["residual_blocks"]
    # The kernels of all residual blocks, float32: no more memory than the file is long.
    least = 4 * 2 * 9 * (4 * filters) ** 2 * blocks + 4 * 3 * 49 * filters
    if least > path.stat().st_size:
        raise InputError(
            f"{path} is too short for {filters} filters and {blocks} residual blocks, "
            f"which {ABOUT} tells of."
        )
    try:
        return build_generator(
            filters,
            blocks,
            norm=about["norm"],
            upsampling=about["upsampling"],
            name=name,
        )
    except (ValueError, TypeError) as error:
        raise InputError(f"{ABOUT} beside {path} is wrong ({error}).") from None


def _require_plain_weights(path):
    """Refuses what Keras does not write: links to other files, and what would grow."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename not in KERAS_FILES:
                raise ValueError(f"it holds {member.filename!r}")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"its {member.filename} is compressed")
        with archive.open("model.weights.h5") as content, h5py.File(content) as file:
            links, items = {}, {}
            file.visititems_links(links.__setitem__)
            for name, link in links.items():
                if not isinstance(link, h5py.HardLink):
                    raise ValueError(f"its {name} is a link")
            file.visititems(items.__setitem__)
            if sum(_plain_size(name, item) for name, item in items.items()) > size:
                raise ValueError("its arrays are larger than the file")


def _plain_size(name, item):
    if isinstance(item, h5py.Group):
        return 0
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
        raise ValueError(f"its {name} is no array of numbers")
    if item.external or item.is_virtual or item.chunks is not None:
        raise ValueError(f"its {name} is not stored in one piece in the file")
    return item.nbytes


def _restored(path, arrays, about, name):
    generator = _build(about, name, path)
    for variable in generator.variables:
        value = arrays.get(f"{name}/{variable.path}")
        if value is None or value.shape != tuple(variable.shape):
            raise InputError(
                f"{path} does not fit {name}: it differs in {variable.path}."
            )
        variable.assign(value)
    return generator
