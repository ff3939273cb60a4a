"""The house: what is public, and which way the imports point."""

import ast
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import ecdbench
import pytest

ROOT = Path(ecdbench.__file__).parent
# From the ground up: each floor may import those below it, and itself; `api.py` and the command line stand on top.
FLOORS = ["benchmark", "tasks", "baselines", "submissions", "leaderboard", "cli"]
DOTTED = re.compile(r"(?:ecdbench)?\.?(?:" + "|".join(FLOORS) + r")(?:\.\w+)+(?::\w+)?")


def test_importing_the_package_loads_nothing_else():
    heavy = ["numpy", "torch", "datasets", "pydantic"]
    code = f"import sys; import ecdbench; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_is_there():
    for name in ecdbench.__all__:
        assert getattr(ecdbench, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ecdbench.nothing


def _imports(file: Path) -> set[str]:
    """The floors that a file imports: at its top, inside functions, or by a dotted name in a string."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = file.parents[node.level - 1].relative_to(ROOT).parts
            parts = (*base, *(node.module or "").split("."))
            found.add(parts[0] or (node.names[0].name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            found.add(node.value.removeprefix("ecdbench").lstrip(".").split(".")[0])
    return found


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_point_down(floor):
    below = set(FLOORS[: FLOORS.index(floor) + 1]) | ({"api"} if floor == "cli" else set())
    for file in (ROOT / floor).rglob("*.py"):
        assert _imports(file) <= below, file


def test_no_module_name_exists_twice():
    files = [file for floor in FLOORS for file in (ROOT / floor).rglob("*.py") if file.stem != "__init__"]
    names = [file.stem for file in files if file.parts[len(ROOT.parts)] != "cli"]  # a command is named as what it runs
    assert not {name for name in names if names.count(name) > 1}


def test_every_entry_point_of_the_project_can_be_loaded():
    for group in ("predictors", "datasets", "inputs", "metrics", "protocols"):
        points = [point for point in entry_points(group=f"ecdbench.{group}") if point.value.startswith("ecdbench.")]
        assert points and all(point.load() is not None for point in points)
