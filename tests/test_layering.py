"""The architecture, held: imports go down only, between folders and within them."""

import ast
import graphlib

import pytest

from tests.helpers import ROOT

# From the top down; what stands on a line may import what stands below it.
FOLDERS = (
    "cli",
    "training",
    "exporting",
    "demo",
    "evaluation",
    "inference",
    "interop",
    "runs",
    "model",
    "metrics",
    "data",
    "config",
    "common",
)
PACKAGE = ROOT / "cyclegan_tf"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
}


def imports_of(name):
    """The modules of the package that one imports, at its top or in a function."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{name}: a relative import"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        for target in found:
            if target.split(".")[0] == "cyclegan_tf":
                yield module_of(target)


def module_of(target):
    """The module that `import target` reads: itself, or the one that has the name."""
    while target not in MODULES and f"{target}.__init__" not in MODULES:
        target = target.rpartition(".")[0]
    return target if target in MODULES else f"{target}.__init__"


def folder_of(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 2 else None


def test_every_folder_has_its_place():
    assert {folder_of(name) for name in MODULES} == {None, *FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_import_goes_up(folder):
    for name in MODULES:
        if folder_of(name) == folder:
            for target in imports_of(name):
                other = folder_of(target)
                assert other is None or FOLDERS.index(other) >= FOLDERS.index(folder), (
                    f"{name} imports {target}, which stands above it"
                )


def test_no_import_goes_in_a_circle():
    graph = {name: set(imports_of(name)) - {name} for name in MODULES}
    list(graphlib.TopologicalSorter(graph).static_order())
