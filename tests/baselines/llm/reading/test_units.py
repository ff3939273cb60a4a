"""Units of targets, the spellings in which replies give them, and what is another quantity."""

import sys

import pytest
from ecdbench.baselines.llm.reading import units
from ecdbench.baselines.llm.reading.units import parse_unit, respelled, size_in, unit_at
from ecdbench.benchmark.errors import MissingExtraError
from ecdbench.tasks.datasets import DATASETS


def _size(text, wanted):
    text = respelled(text)
    found = unit_at(text, 0)
    return None if found is None else size_in(found[0], parse_unit(wanted))


def test_the_unit_of_every_dataset_is_known():
    columns = [column for dataset in DATASETS.all().values() for column in dataset.facts.columns]
    targets = [target for dataset in DATASETS.all().values() for target in dataset.facts.targets]
    assert {"GPa", "eV/atom", "muB"} <= {target.unit for target in targets}
    assert [
        found.unit for found in (*columns, *targets) if found.unit and parse_unit(respelled(found.unit)) is None
    ] == []


@pytest.mark.parametrize(
    ("text", "wanted", "size"),
    [
        ("GPa at 300 K", "GPa", 1),
        ("Gpa", "GPa", 1),
        ("kBar.", "GPa", 0.1),
        ("giga-pascals", "GPa", 1),
        ("N/m^2", "GPa", 1e-9),
        ("eV/\u00c5^3", "GPa", 160.2176634),
        ("kJ/(mol\u00b7atom)", "eV/atom", 0.01036427),
        ("kJ mol^-1", "eV/atom", 0.01036427),
        ("meV per atom", "eV/atom", 1e-3),
        ("eV", "eV/atom", 1),
        ("Bohr magnetons per formula unit", "muB", 1),
        ("erg/cm2", "mJ/m2", 1),
        ("W m^-1 K^-1", "W/(m K)", 1),
        ("\u00c5^(-1)", "1/A", 1),
    ],
)
def test_units_of_the_same_quantity(text, wanted, size):
    assert _size(text, wanted) == pytest.approx(size)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("eV", "GPa"),
        ("GPa/atom", "GPa"),
        ("GPa/foo", "GPa"),
        ("mPa", "GPa"),  # millipascal or megapascal
        ("MeV", "eV"),
        ("eV/f.u.", "eV/atom"),
        ("kJ/mol f.u.", "eV/atom"),
        ("muB/atom", "muB"),
        ("\u00b0C", "K"),
        ("approximately", "GPa"),
    ],
)
def test_units_of_something_else(text, wanted):
    assert _size(text, wanted) is None


def test_without_pint_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pint", None)
    for cached in (units._registry, units.size_in):
        cached.cache_clear()
    with pytest.raises(MissingExtraError, match="llm"):
        _size("Mbar", "GPa")
