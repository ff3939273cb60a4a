"""What dishonest models gain: nothing, where they can be stopped."""

import time
from pathlib import Path

import pytest
from ecdbench import evaluate, read_run
from ecdbench.benchmark.conformance import check_predictor
from ecdbench.benchmark.errors import EcdbenchError, ModelError
from ecdbench.submissions.rescoring import rescore

from .corpus import MODELS, source

# What these do instead of predicting well.
_RAISE = {"undeclared-input": "is handed no others; add 'formula' to it", "exit-zero": "with exit status 0"}
_HARMLESS = {"trains-on-validation", "false-claims", "transductive"}


@pytest.mark.parametrize("name", MODELS)
def test_what_a_dishonest_model_gains(name, write_model, k_vrh):
    model, file = MODELS[name], str(write_model(source(name)))
    if name in _RAISE:
        with pytest.raises(ModelError, match=_RAISE[name]):
            evaluate(file, k_vrh)
        assert not list(Path().rglob("result.json"))
        return
    run = evaluate(file, k_vrh, protocol=model.protocol)
    if name == "daemon":
        time.sleep(0.5)
    scored = rescore(run.folder)  # its files are whole, and as they were
    split = "cv" if model.protocol == "cv" else "holdout"
    assert scored.scores[split] == run.result.scores[split]
    gains = run.result.scores[split]["skill"].value > 0.03
    assert gains == (not model.stopped and name not in _HARMLESS)


@pytest.mark.parametrize("name", [name for name, one in MODELS.items() if one.protocol == "cv"])
def test_it_would_gain_in_one_process(name, write_model, k_vrh):
    """The models work: where nothing keeps fits apart, those that carry rows from fold to fold gain by it."""
    run = evaluate(str(write_model(source(name))), k_vrh, protocol="cv", isolation="none")
    carries = name in ("class-attribute", "module-cache", "environment")
    assert (run.result.scores["cv"]["skill"].value > 0.3) == carries


@pytest.mark.parametrize("name", ["by-content", "declared-ids", "catalogue", "packaged-file"])
def test_isolation_hides_the_data(name, write_model, k_vrh):
    try:
        run = evaluate(str(write_model(source(name))), k_vrh, isolation="full")
    except EcdbenchError as error:
        pytest.skip(str(error))
    assert run.result.scores["holdout"]["skill"].value < 0.03
    assert run.result.environment.isolation == "full"


def test_a_rival_is_not_spoiled(write_model, k_vrh, tmp_path):
    honest = evaluate("knn-composition", k_vrh)
    spoiler = write_model(
        "import json\nfrom pathlib import Path\nclass Model:\n    inputs = ('image',)\n"
        "    def fit(self, train, validation, context):\n"
        "        for f in Path(context.shared_dir).rglob('fit.json'):\n"
        "            f.write_text(f.read_text().replace('1', '2'))\n"
        "    def predict(self, data): return [0.0] * len(data)\n"
    )
    evaluate(str(spoiler), k_vrh)
    again = evaluate("knn-composition", k_vrh)
    assert again.result.scores == honest.result.scores
    assert any("had been changed by something else" in note for note in again.result.notes)


@pytest.mark.parametrize("file", ["result.json", "predictions.parquet"])
def test_a_run_that_is_edited_is_noticed(file, cli, k_vrh):
    run = evaluate("mean", k_vrh)
    path = run.folder / file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(EcdbenchError, match=f"{file} was changed after the run was made"):
        read_run(run.folder)
    for command in (("show", run.folder), ("leaderboard", "runs"), ("submit", run.folder, "--card", "card.yaml")):
        Path("card.yaml").touch()
        said = cli(*command)
        assert said.code != 0 or "was changed after the run was made" in said.err
    evaluate("mean", k_vrh)
    assert cli("show", run.folder).code == 0


def test_check_finds_what_it_can(write_model, k_vrh):
    for name, remedy in (("undeclared-input", "add 'formula' to it"), ("transductive", "predict rows independently")):
        checks = check_predictor(str(write_model(source(name))), k_vrh)
        assert any(remedy in one.remedy for one in checks if one.outcome == "failed")


def test_the_record_counts(write_model, k_vrh):
    file = str(write_model(source("trains-on-validation")))
    one = evaluate(file, k_vrh).result
    assert (one.fits[0].n_train, one.fits[0].n_validation) == tuple(
        len(k_vrh.splits[split]) for split in ("train", "validation")
    )
    assert (one.holdout_scored, evaluate(file, k_vrh).result.holdout_scored) == (1, 1)
    write_model(source("trains-on-validation") + "# another version\n")
    assert evaluate(file, k_vrh).result.holdout_scored == 2


def test_the_docs_list_every_model():
    text = (Path(__file__).parents[2] / "docs" / "trust.md").read_text()
    for one in MODELS.values():
        assert f"| {one.what} | {'no' if one.stopped else 'yes'} | {one.why} |" in text
