"""The lock that the tests of every change are run with, and the table of licences."""

import re

from packaging.requirements import Requirement

from tests.helpers import ROOT

LOCK = (ROOT / ".ci" / "requirements.lock").read_text()
DOCUMENT = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def requirements(name):
    """All that a file of requirements asks for, and the files that it includes."""
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("-r "):
            yield from requirements(line.split()[1])
        elif line and not line.startswith("#"):
            yield Requirement(line)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked():
    """Requirements of the lock, and the text below each: its hashes."""
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        first, *hashes = entry.replace("\\", "").splitlines()
        yield Requirement(first), hashes


def test_lock_has_a_hash_of_everything_and_the_name_of_no_server():
    assert "://" not in LOCK and "http" not in LOCK
    for requirement, hashes in locked():
        assert re.fullmatch(r"==[\w.+!-]+", str(requirement.specifier))
        assert hashes
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64} ?", x) for x in hashes)


def test_lock_fits_the_requirements():
    versions = {}
    for requirement, _ in locked():
        (version,) = requirement.specifier
        versions.setdefault(normal(requirement.name), []).append(version.version)
    for wanted in requirements("requirements-dev.txt"):
        for version in versions[normal(wanted.name)]:
            assert wanted.specifier.contains(version), f"make lock: {wanted} {version}"


def test_document_names_the_licence_of_every_dependency():
    section = DOCUMENT.split("\n## Licences\n")[1].split("\n## ")[0]
    for name in ("reference", "serving", "gpu"):
        for wanted in requirements(f"requirements-{name}.txt"):
            assert f"`{wanted.name}`" in section, wanted.name
