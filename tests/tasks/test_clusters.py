"""Whole clusters are held out, and what is near them is not learnt from."""

import pytest
from ecdbench import evaluate, load_task
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.protocols import PROTOCOLS
from ecdbench.submissions.rescoring import rescore
from ecdbench.tasks.composition import parse_formula


def plan(by, task="ecd-fcc/k_vrh", **options):
    data = load_task(task, **options)
    return data, PROTOCOLS.get(f"leave-cluster-out,by={by}").plan(data)


def of(fit):
    return fit.predicted["out-of-cluster"]


def test_an_element_is_nowhere_in_what_is_learnt_from():
    data, fits = plan("element")
    formulas = data.dataset.read(["formula"])["formula"]
    assert len(fits) > 30 and {fit.label for fit in fits} >= {"Ni", "O", "Al"}
    for fit in fits:
        assert len(of(fit)) >= 5
        assert all(fit.label in parse_formula(formulas[m]) for m in of(fit))
        assert not any(fit.label in parse_formula(formulas[m]) for m in (*fit.train, *fit.validation))
        assert not {*fit.train, *fit.validation, *of(fit)} & set(data.splits["holdout"])


def test_space_groups_and_prototypes():
    data, fits = plan("spacegroup")
    numbers = data.dataset.read(["spacegroup"])["spacegroup"]
    assert fits and all({numbers[m] for m in of(fit)} == {int(fit.label)} for fit in fits)
    data, fits = plan("prototype")
    labels = {m: fit.label for fit in fits for m in of(fit)}
    formulas = data.dataset.read(["formula"])["formula"]
    assert {labels[m] for m in labels if formulas[m] in ("NaCl", "MgO", "KBr", "CaO")} == {"AB, 225"}


def test_a_chemical_system_is_in_one_part():
    data, fits = plan("chemical_system")
    parts = [{data.groups[m] for m in of(fit)} for fit in fits]
    assert sum(map(len, parts)) == len(set().union(*parts)) and len(fits) == 10


def test_the_largest_targets_are_held_out():
    data, (fit,) = plan("target")
    targets = data.read_targets(data.ids)
    assert min(targets[m] for m in of(fit)) >= max(targets[m] for m in (*fit.train, *fit.validation))
    assert len(of(fit)) == pytest.approx(0.1 * (len(fit.train) + len(fit.validation) + len(of(fit))), abs=1)


@pytest.mark.parametrize("by", ["spacegroup", "prototype"])
def test_a_dataset_without_the_column(by, sfe_dir):
    with pytest.raises(DataError, match="sfe has no column spacegroup to make clusters by; choose another --by"):
        plan(by, "sfe", data_dir=sfe_dir)


def test_the_command_takes_them_by_name(cli):
    shown = cli("evaluate", "mean", "-t", "ecd-fcc/k_vrh", "--protocol", "leave-cluster-out", "--by", "spacegroup")
    assert "protocol leave-cluster-out,by=spacegroup" in shown.out and "Held out one after another" in shown.out
    repeated = cli("evaluate", "mean", "-t", "ecd-fcc/k_vrh", "--protocol", "cv", "--repeats", 2)
    assert "protocol cv,repeats=2" in repeated.out and "over seeds and repetitions" in repeated.out
    wrong = cli("evaluate", "mean", "-t", "ecd-fcc/k_vrh", "--protocol", "cv", "--by", "element")
    assert wrong.code == 1 and wrong.err.count("\n") == 1
    assert "There is no option of the protocol cv 'by'. It has repeats." in wrong.err


def test_a_run_is_scored_pooled_and_by_cluster(k_vrh):
    run = evaluate("knn-composition", k_vrh, protocol="leave-cluster-out")
    pooled, by_element = run.result.scores["out-of-cluster"], run.result.folds
    assert pooled.n == sum(scores.n for scores in by_element.values()) > len(k_vrh.ids)
    squares = sum(scores.n * scores["rmse"].value ** 2 for scores in by_element.values())
    assert pooled["rmse"].value ** 2 == pytest.approx(squares / pooled.n)
    entry = rescore(run.folder)
    assert entry.scores["out-of-cluster"] == pooled
    assert len(entry.ids) == pooled.n and len(set(entry.ids)) < pooled.n
