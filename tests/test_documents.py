"""What the documents name is there: files, headings, options, commands."""

import ast
import dataclasses
import importlib
import re
import shlex

import pytest

from cyclegan_tf import cli, config
from cyclegan_tf.cli import arguments as command_line
from tests.helpers import ROOT

MOST_README_BYTES = 10_240
DOCUMENTS = sorted(
    [*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "deploy/README.md"]
)
TRANSLATED = {
    "README.ko.md": "README.md",
    "docs/how-it-works.ko.md": "docs/how-it-works.md",
}

SCRIPTS = {
    "train.py": "train",
    "evaluate.py": "evaluate",
    "export.py": "export",
    "translate.py": "translate",
    "tfrecords/build.py": "build",
}
OPTIONS_OF_OTHERS = {
    "docker": {"--build-arg", "--gpus", "--rm", "--user", "--wait"},
    "pip": {"--require-hashes"},
    "pip-licenses": {"--python", "--from"},
    "saved_model_cli": {"--dir", "--all"},
    "slurm": {"--nodes", "--ntasks-per-node", "--gpus-per-node", "--time"},
    "srun": {"--kill-on-bad-exit"},
    "tensorboard": {"--logdir"},
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def text_of(document):
    return document.read_text(encoding="utf-8")


def name_of(document):
    return str(document.relative_to(ROOT))


def each_document(function):
    return pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)(function)


def code_blocks(document, language=r"\w*"):
    """The contents of the fenced blocks of a language."""
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, text_of(document), re.M | re.S)


def prose(document):
    """All but the fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(document), flags=re.M | re.S)


def command_lines(document):
    """The lines of the shell blocks, those that go on in the next one joined."""
    for block in code_blocks(document, "sh"):
        yield from block.replace("\\\n", " ").splitlines()


def own_commands(document):
    """`(sub-command, arguments)` of each call of one of our commands."""
    for line in command_lines(document):
        called = re.search(r"(?:^|\s)(?:python (\S+\.py)|cyclegan (\w+))(?=\s|$)", line)
        if not called or line.startswith("#"):
            continue
        script, command = called.groups()
        if script in SCRIPTS or command:
            arguments = shlex.split(line[called.end() :], comments=True)
            yield command or SCRIPTS[script], arguments


def parse(command, arguments):
    """The options of a call, by the command's own parser; nothing is run."""
    _, config_class, positionals = cli.COMMANDS[command]
    return command_line.parse(config_class, "", positionals, arguments)


def own_options():
    fields = [
        field
        for _, config_class, _ in cli.COMMANDS.values()
        for field in dataclasses.fields(config_class)
    ]
    switches = [field.name for field in fields if isinstance(field.default, bool)]
    names = [field.name for field in fields] + [f"no_{name}" for name in switches]
    return {"--help", *map(config.flag, names)}


def headings(document):
    """`(level, text)` of each heading."""
    found = re.findall(r"^(#+) (.+)$", prose(document), re.M)
    return [(len(marks), text) for marks, text in found]


def anchors(document):
    """What a link to each heading ends with."""
    found, counts = set(), {}
    for _, text in headings(document):
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = counts[slug] = counts.get(slug, 0) + 1
        found.add(slug if count == 1 else f"{slug}-{count - 1}")
    return found


@each_document
def test_links_lead_to_files_and_headings(document):
    text = prose(document)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_figure_is_shown():
    shown = text_of(ROOT / "docs" / "how-it-works.md")
    for figure in (ROOT / "docs" / "figures").glob("*.png"):
        assert f"figures/{figure.name}" in shown
        assert figure.stat().st_size < 100_000


@each_document
def test_options_exist(document):
    """In the prose any option of ours; in a command only that command's."""
    others = set().union(*OPTIONS_OF_OTHERS.values())
    for name in OPTION.findall(prose(document)):
        assert name in own_options() | others, name
    for line in command_lines(document):
        benchmark = re.search(r"benchmarks/\w+\.py", line)
        for name in OPTION.findall(line):
            if benchmark:
                field = name.removeprefix("--").replace("-", "_")
                script = (ROOT / benchmark[0]).read_text()
                assert re.search(rf"\b{field}\b", script), f"{benchmark[0]} {name}"
            else:
                assert name in own_options() | others, name


@each_document
def test_commands_parse(document):
    for command, arguments in own_commands(document):
        parse(command, arguments)


def test_readme_has_the_main_commands():
    commands = [command for command, _ in own_commands(ROOT / "README.md")]
    assert commands[:3] == ["build", "train", "export"]


def test_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= MOST_README_BYTES


@pytest.mark.parametrize("translated, original", TRANSLATED.items())
def test_translations_are_complete(translated, original):
    translated, original = ROOT / translated, ROOT / original
    levels = [[level for level, _ in headings(d)] for d in (translated, original)]
    assert levels[0] == levels[1]
    assert len(code_blocks(translated)) == len(code_blocks(original))
    assert list(own_commands(translated)) == list(own_commands(original))
    images = [re.findall(r"[\w/-]+\.png", text_of(d)) for d in (translated, original)]
    assert images[0] == images[1]


def test_tables_are_those_of_the_code(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    tables = importlib.import_module("tables")
    text = text_of(tables.DOCUMENT)
    assert text == tables.with_tables(text), "run python docs/tables.py"
    assert "| `--filters` | `64` |" in text and "| `cycle_A` |" in text


@each_document
def test_modules_and_their_names_exist(document):
    """Of "`model/networks.py`, `build_generator`" both: see how-it-works.md."""
    paragraphs = re.split(r"\n\n", prose(document))
    for paragraph in paragraphs:
        if not paragraph.startswith(("*In the code:*", "*코드:*")):
            continue
        source = ""
        for quoted in re.findall(r"`([^`]+)`", paragraph):
            if quoted.endswith(".py"):
                source += (ROOT / "cyclegan_tf" / quoted).read_text()
        for quoted in re.findall(r"`(\w+(?:\.\w+)?)`", paragraph):
            assert re.search(rf"\b{quoted.split('.')[-1]}\b", source), quoted


@each_document
def test_imports_of_examples_work(document):
    for block in code_blocks(document, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), alias.name


@each_document
def test_targets_and_modules_of_tests_exist(document):
    makefile = (ROOT / "Makefile").read_text()
    for line in command_lines(document):
        if target := re.match(r"make ([a-z-]+)", line):
            assert re.search(rf"^{target[1]}:", makefile, re.M), line
        if module := re.search(r"python -m (tests[.\w]+)", line):
            assert (ROOT / (module[1].replace(".", "/") + ".py")).exists(), line
