"""The house: what is public, and which way the imports point."""

import ast
import subprocess
import sys
from pathlib import Path

import ecdbench
import pytest

ROOT = Path(ecdbench.__file__).parent
# A package may import those to its left, and itself; the command line and the API stand on top of all.
FLOORS = ["benchmark", "tasks", "baselines", "submissions", "leaderboard"]
MAY_IMPORT = {
    "benchmark": {"benchmark"},
    "tasks": {"benchmark", "tasks"},
    "baselines": {"benchmark", "baselines"},
    "submissions": {"benchmark", "tasks", "submissions"},
    "leaderboard": {"benchmark", "tasks", "submissions", "leaderboard"},
}


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
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = file.parents[node.level - 1].relative_to(ROOT).parts
            parts = (*base, *(node.module or "").split("."))
            found.add(parts[0] or (node.names[0].name))
    return found


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_point_down(floor):
    for file in (ROOT / floor).rglob("*.py"):
        if "cli" not in file.parts:
            assert _imports(file) <= MAY_IMPORT[floor], file


def test_files_stay_small():
    for floor in FLOORS:
        for file in (ROOT / floor).rglob("*.py"):
            assert len(file.read_text().splitlines()) <= 400, file
