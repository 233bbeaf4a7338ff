"""What is declared, imported and locked, and the table of licences."""

import ast
import importlib.metadata
import re
import sys

import pytest
from packaging.requirements import Requirement

from tests.helpers import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCK = (ROOT / ".ci" / "requirements.lock").read_text()
DOCUMENT = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGE = ROOT / "cyclegan_tf"


def product():
    """What `requirements.txt` asks for."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def extra(name):
    """What an extra asks for, with the extras that it includes."""
    for wanted in map(Requirement, EXTRAS[name]):
        if wanted.name == PROJECT["name"]:
            for other in wanted.extras:
                yield from extra(other)
        else:
            yield wanted


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imports():
    """Imported names of the package, each with whether the module needs it to load."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                if name.split(".")[0] not in {*sys.stdlib_module_names, "cyclegan_tf"}:
                    yield name, node in tree.body


@pytest.mark.parametrize("is_needed", [True, False])
def test_everything_imported_is_declared(is_needed):
    declared = {normal(wanted.name) for wanted in product()}
    if not is_needed:  # imported within a function, where it is used
        for name in ("export", "demo", "hub", "video", "torch", "medical", "heic"):
            declared |= {normal(wanted.name) for wanted in extra(name)}
    owners = importlib.metadata.packages_distributions()
    # The version that TensorFlow needs. A requirement of our own would have resolvers
    # take the newest, and for Python 3.10 tensorflow-metadata 0.5 with it.
    owners |= {"google": ["tensorflow"]}
    for name, is_at_top in imports():
        if is_at_top == is_needed:
            # What is not installed here is called as it is imported.
            package = name.split(".")[0]
            found = {normal(owner) for owner in owners.get(package, [package])}
            assert found & declared, f"{name} is of {found}"


def locked():
    """Requirements of the lock, and the text below each: its hashes."""
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        first, *hashes = entry.replace("\\", "").splitlines()
        yield Requirement(first), hashes


def test_lock_has_a_hash_of_everything_and_the_name_of_no_server():
    assert "://" not in LOCK and "index-url" not in LOCK
    for requirement, hashes in locked():
        assert re.fullmatch(r"==[\w.+!-]+", str(requirement.specifier))
        assert hashes
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64} ?", x) for x in hashes)


def test_lock_fits_the_requirements():
    versions = {}
    for requirement, _ in locked():
        (version,) = requirement.specifier
        versions.setdefault(normal(requirement.name), []).append(version.version)
    for wanted in (*product(), *extra("dev")):
        for version in versions[normal(wanted.name)]:
            assert wanted.specifier.contains(version), f"make lock: {wanted} {version}"


def test_document_names_the_licence_of_every_dependency():
    section = DOCUMENT.split("\n## Licences\n")[1].split("\n## ")[0]
    for name in EXTRAS:
        for wanted in (*product(), *extra(name)):
            assert f"`{wanted.name}`" in section, wanted.name
