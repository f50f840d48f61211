"""Every command and every piece of Python in the pages is one that exists. Parsed here; tests/serve/test_docs.py runs some."""

import ast
import re
import shlex
import tomllib

import pytest

import unmask
from tests.conftest import ROOT
from tests.test_docs_links import PAGES
from unmask.cli.main import main

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```|(?:^ {4}[^\n]*\n)+", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[ /])unmask ([a-z].*)")
# The changelog may speak of what is gone.
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md"}


def commands(page: str) -> list[tuple[str, str]]:
    """The page's name, and what follows `unmask` on a line of its blocks."""
    lines = [line for block in BLOCK.finditer(TEXTS[page]) for line in block[0].splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r"&&| \| ", line)]
    return [(page, match[1]) for part in parts if (match := COMMAND.search(part.partition("  #")[0]))]


COMMANDS = [command for page in TEXTS for command in commands(page)]
MENTIONS = [
    (page, match[1])
    for page, text in TEXTS.items()
    for match in re.finditer(r"`(?:\S+=\S+ )?unmask ([a-z][^`]*)`", BLOCK.sub("", text))
]
PYTHON = [(page, block[2]) for page, text in TEXTS.items() for block in BLOCK.finditer(text) if block[1] == "python"]


def test_there_are_commands_to_look_at():
    assert {command.split()[0] for _, command in COMMANDS} == set(main.commands)
    assert len(MENTIONS) > 20
    assert len(PYTHON) >= 3


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_of_a_page_is_understood(page, command):
    verb, *arguments = shlex.split(command, comments=True)
    main.commands[verb].make_context(verb, arguments)


@pytest.mark.parametrize(("page", "command"), MENTIONS)
def test_every_verb_and_option_that_a_page_mentions_exists(page, command):
    verb, *words = command.split()
    known = {name for option in main.commands[verb].params for name in option.opts}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


@pytest.mark.parametrize(("page", "code"), PYTHON)
def test_every_piece_of_python_uses_names_that_exist(page, code):
    used = [
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "unmask"
    ]
    assert set(used) <= set(unmask.__all__), page


def test_every_extra_that_a_page_names_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {
        extra
        for text in TEXTS.values()
        for group in re.findall(r"\.\[([\w,-]+)\]'", text)
        for extra in group.split(",")
    }
    assert {"video", "train"} <= named <= set(extras)


def test_every_test_that_a_page_names_exists():
    named = {path for text in TEXTS.values() for path in re.findall(r"\btests/[\w./]*\w", text)}
    assert len(named) > 5
    assert not [path for path in named if not (ROOT / path).exists()]
