"""The house keeps its order: who imports whom, how many modules lie at the root, and how long a file is.

An import inside a function runs as well, so it counts as one at the top. One under TYPE_CHECKING never runs: it makes no
circle, but it is still one room that knows of another, so it may not run up either.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

SRC = ROOT / "src"

# From the ground up. Rooms of one line stand beside each other and may use one another, without a circle.
FLOORS = (
    ("errors", "origin", "finding", "verdict", "system"),
    ("image", "face", "stats", "bundle"),
    ("runtime", "detector"),
    ("explain", "video"),
    ("checking",),
    ("scan", "output"),
    ("data",),
    ("models",),
    ("train", "evaluate"),
    ("export",),
    ("serve", "cli", "demo", "doctor", "__main__"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

LONG = 300
# What a long file's docstring has to say, with the reason.
ONE_IDEA = "one idea"


class Import(NamedTuple):
    """One module that imports another; `runs` is false for the type checker's."""

    by: str
    of: str
    runs: bool


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted((SRC / "unmask").rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def walk(node: ast.AST, runs: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it is run; what is under TYPE_CHECKING is not."""
    yield node, runs
    types_only = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    for child in ast.iter_child_nodes(node):
        yield from walk(child, runs and not (types_only and child in node.body))


def imports_of(by: str, tree: ast.Module) -> Iterator[Import]:
    for node, runs in walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [name if name in MODULES else str(node.module) for name in inside]
        else:
            continue
        yield from (Import(by, target, runs) for target in targets if target in MODULES)


def room(module: str) -> str:
    return module.split(".")[1]


# The front page holds the version, which everybody may read, and opens the other rooms for whoever comes from outside.
IMPORTS = [
    found
    for name, tree in MODULES.items()
    if name != "unmask"
    for found in imports_of(name, tree)
    if found.of != "unmask"
]


def circle(arrows: list[Import]) -> set[str]:
    """The members of a circle; none where there is none."""
    graph: dict[str, set[str]] = {}
    for arrow in arrows:
        graph.setdefault(arrow.by, set()).add(arrow.of)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return set(error.args[1])
    return set()


def test_every_room_has_its_floor():
    rooms = {room(name) for name in MODULES if name != "unmask"}
    assert rooms <= set(FLOOR)


def test_no_import_runs_up():
    up = {f"{by} -> {of}" for by, of, _ in IMPORTS if FLOOR[room(of)] > FLOOR[room(by)]}
    assert up == set()


def test_no_modules_import_each_other_in_a_circle():
    assert circle([found for found in IMPORTS if found.runs]) == set()


def test_no_rooms_of_one_floor_import_each_other_in_a_circle():
    level = [
        Import(room(by), room(of), runs)
        for by, of, runs in IMPORTS
        if runs and room(by) != room(of) and FLOOR[room(by)] == FLOOR[room(of)]
    ]
    assert circle(level) == set()


def test_nothing_inside_comes_in_through_the_front_page():
    taken = {
        (name, alias.name)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "unmask"
        for alias in node.names
        if f"unmask.{alias.name}" not in MODULES
    }
    assert {what for _, what in taken} == {"__version__"}


def test_at_most_ten_modules_lie_at_the_root():
    assert len(list((SRC / "unmask").glob("*.py"))) <= 10


def test_a_long_file_says_why_it_is_one_idea():
    silent = {name for name, tree in MODULES.items() if is_long(name) and ONE_IDEA not in docstring(tree)}
    assert silent == set(), f"over {LONG} lines: split, or say in the docstring why it is {ONE_IDEA!r}"


def docstring(tree: ast.Module) -> str:
    return " ".join((ast.get_docstring(tree) or "").lower().split())


def is_long(name: str) -> bool:
    path = SRC.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return len(file.read_text(encoding="utf-8").splitlines()) > LONG


@pytest.mark.parametrize(
    ("code", "runs"),
    [
        ("import unmask.errors", True),
        ("def late():\n    from unmask.errors import UnmaskError", True),
        ("if TYPE_CHECKING:\n    from unmask import errors", False),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    from unmask import errors", True),
    ],
)
def test_every_kind_of_import_is_seen(code, runs):
    assert list(imports_of("unmask.here", ast.parse(code))) == [Import("unmask.here", "unmask.errors", runs)]
