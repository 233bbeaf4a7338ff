"""Models on the Hugging Face Hub, `hf://user/name`, by way of huggingface_hub."""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import require_local

ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w.-]+))?", re.ASCII)
# All that is copied from there: options, numbers and pictures of a run. A repository's
# SavedModel would be a program of somebody else's.
RUN_FILES = ("config.json", "model/*", "samples/*.png")
LOG_IN = "for what is private, and to push, log in with `hf auth login`"


def require_address(flag: str, value: str) -> None:
    """Raises `InputError` unless a value is `hf://user/name`, perhaps `@revision`."""
    if not ADDRESS.fullmatch(value):
        raise InputError(
            f"{flag} {value}: expected hf://user/name, or hf://user/name@revision."
        )


def require_model(flag: str, value: str) -> None:
    """Raises `InputError` unless a value is a local path, or an address of the Hub."""
    if value.startswith("hf://"):
        require_address(flag, value)
    else:
        require_local(flag, value)


def name_of(model: str) -> str:
    """What a model is called: its folder, or its repository on the Hub."""
    if model.startswith("hf://"):
        repository, _ = ADDRESS.fullmatch(model).groups()
        return pathlib.PurePath(repository).name
    return pathlib.Path(model).expanduser().resolve().name


@contextlib.contextmanager
def local_copy(model: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A local directory with a model: the one named, or a copy of one on the Hub.

    What was downloaded stays in the cache of huggingface_hub; the copy, without the
    links that this consists of, is there until the end of the `with` block. An error in
    the block that names the copy names the address instead. Raises `InputError` for
    what cannot be had, or holds no run.
    """
    address = os.fspath(model)
    require_model("--model", address)
    if not address.startswith("hf://"):
        yield pathlib.Path(model).expanduser()
        return
    with _library(address) as (hub, repository, revision):
        patterns = list(RUN_FILES)
        found = hub.snapshot_download(
            repository, revision=revision, allow_patterns=patterns
        )
        snapshot = pathlib.Path(found)
    if not (snapshot / RUN_FILES[0]).is_file():
        raise InputError(
            f"{address} has no {RUN_FILES[0]}, so it is not a run; it may be an "
            f"export, or the model of another program."
        )
    with tempfile.TemporaryDirectory(prefix="cyclegan-hub-") as scratch:
        folder = pathlib.Path(scratch, repository)
        for pattern in RUN_FILES:
            for source in snapshot.glob(pattern):
                target = folder / source.relative_to(snapshot)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        try:
            yield folder
        except InputError as error:
            raise type(error)(str(error).replace(str(folder), address)) from None


def make_repository(address: str) -> None:
    """Makes a private repository on the Hub, unless it is there, or `InputError`."""
    with _library(address) as (hub, repository, _):
        hub.HfApi().create_repo(repository, private=True, exist_ok=True)


def upload(folder: pathlib.Path, address: str, message: str) -> str:
    """Uploads what is in a folder as one commit; returns where it can be seen.

    Of the folders in it nothing else stays there. Raises `InputError` where that is not
    allowed, or the Hub cannot be reached.
    """
    with _library(address) as (hub, repository, revision):
        commit = hub.HfApi().upload_folder(
            repo_id=repository,
            revision=revision,
            folder_path=folder,
            commit_message=message,
            delete_patterns=[f"{x.name}/*" for x in folder.iterdir() if x.is_dir()],
        )
    return commit.commit_url


@contextlib.contextmanager
def _library(address):
    """The library, repository and revision; its errors within name the address."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise InputError(
            f"{address} needs huggingface_hub; install with pip install '.[hub]'."
        ) from None
    # Of the library's HTTP client, which has another name from version to version.
    (http_error, *_) = HfHubHTTPError.__bases__
    try:
        yield huggingface_hub, *ADDRESS.fullmatch(address).groups()
    except (OSError, ValueError, http_error) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{address}: {reason.rstrip('.')}; {LOG_IN}.") from None
