"""What a package registers is what it says, or every command names the package in one sentence."""

import sys
from operator import attrgetter

import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.metrics import Metric
from ecdbench.benchmark.registry import Registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes a package with entry points in a group of its own, and returns the registry of that group."""

    def make(source, *points, package="extras"):
        folder = tmp_path / package
        (folder / f"{package}-1.dist-info").mkdir(parents=True)
        (folder / f"{package}_module.py").write_text(source)
        (folder / f"{package}-1.dist-info" / "METADATA").write_text(f"Name: {package}\nVersion: 1\n")
        lines = "\n".join(f"{name} = {package}_module:{attribute}" for name, attribute in points)
        (folder / f"{package}-1.dist-info" / "entry_points.txt").write_text(f"[tests.metrics]\n{lines}\n")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, f"{package}_module", raising=False)  # of an earlier test
        return Registry("tests.metrics", "metric", Metric, attrgetter("name"))

    return make


GOOD = "from ecdbench.benchmark.metrics import Metric\nGOOD = Metric('good', 'good', lambda s: s.target[:1])\n"


def test_an_object_is_found_by_its_name(install):
    registry = install(GOOD, ("good", "GOOD"))
    assert registry.names() == ["good"] and "good" in registry and "bad" not in registry
    assert registry.all()["good"] is registry.get("good")
    with pytest.raises(DataError, match="Did you mean good"):
        registry.get("goof")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("1 / 0", r"The metric 'x' of extras cannot be loaded \(ZeroDivisionError"),
        ("X = 5", "The metric 'x' of extras is a int, not a Metric"),
        (GOOD + "X = GOOD", "The metric 'x' of extras calls itself 'good'"),
        ("import absent_package", r"cannot be loaded \(ModuleNotFoundError"),
        ("from ecdbench.benchmark.metrics import Metric\nX = Metric('x', 'x')", "the metric x needs a function"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_package(install, source, sentence):
    with pytest.raises(DataError, match=sentence):
        install(source, ("x", "X")).all()


def test_two_packages_with_one_name(install):
    install(GOOD, ("good", "GOOD"))
    with pytest.raises(DataError, match="Two packages register the metric 'good'"):
        install(GOOD, ("good", "GOOD"), package="others").names()
