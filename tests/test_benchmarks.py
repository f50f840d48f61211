"""The scripts that write the measurements still find what they use of the package; running them takes hours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def module_of(name: str) -> Path | None:
    """The file of a module of the package; None for a name that is none."""
    place = ROOT.joinpath("src", *name.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def names_in(file: Path) -> set[str]:
    """What a module gives its name to: what it defines, sets and imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name)
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_a_script_imports_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "unmask":
            file = module_of(node.module)
            assert file is not None, node.module
            for name in node.names:
                known = name.name in names_in(file) or module_of(f"{node.module}.{name.name}") is not None
                assert known, f"{node.module} has no {name.name}"
