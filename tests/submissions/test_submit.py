import json
from pathlib import Path

import pandas as pd
import pytest
from ecdbench import evaluate
from ecdbench.submissions.card import Card, read_card
from ecdbench.submissions.checks import agree, first_difference, rounded
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import rescore
from ecdbench.submissions.verify import verify_entry

from .conftest import FILLED

CURVED = """
from ecdbench.benchmark.predictor import LearningCurve
class Model:
    inputs = ("image",)
    def __init__(self, weights="none", url="none", known="none"):
        self.weights, self.url = weights, url
    def info(self):
        return {"where": self.weights, "endpoint": self.url}
    def fit(self, train, validation, context):
        self.curve = [3.0, 2.0, 1.0] * 200
    def curves(self):
        return [LearningCurve("training", self.curve, self.curve, 577)]
    def predict(self, data):
        return [100.0 + len(id) for id in data["id"]]
"""


@pytest.fixture
def card(tmp_path, card_text):
    file = tmp_path / "card.yaml"
    file.write_text(card_text)
    return file


def test_the_template_is_a_card_and_the_schema_is_exported(cli, tmp_path):
    assert cli("card", "init", tmp_path / "new.yaml").code == 0
    assert "still holds texts of the template" in cli("card", "check", tmp_path / "new.yaml").err
    (tmp_path / "new.yaml").write_text(FILLED)
    assert read_card(tmp_path / "new.yaml").name == "my-model"
    assert cli("card", "init", tmp_path / "new.yaml").code == 1  # it is not overwritten
    assert "is a card of my-model" in cli("card", "check", tmp_path / "new.yaml").out
    schema = Path(__file__).parents[2] / "submissions" / "card.schema.json"
    assert json.loads(schema.read_text()) == Card.model_json_schema() == json.loads(cli("card", "schema").out)


@pytest.mark.parametrize(
    "protocol", ["cv,repeats=2", "learning-curve", "leave-cluster-out,by=prototype", "leave-cluster-out,by=target"]
)
def test_every_protocol_can_be_submitted(cli, tmp_path, card_text, k_vrh, protocol):
    run = evaluate("composition-forest", k_vrh, protocol=protocol, parameters={"trees": 10}, seeds=2)
    card = tmp_path / "card.yaml"
    card.write_text(card_text.replace("seeds: 1", "seeds: 2"))
    outcome = cli("submit", run.folder, "--card", card, "--out", "entries")
    assert outcome.code == 0, outcome.err
    entry = Path("entries/ecd-fcc--k_vrh/honest")
    assert [folder.name for folder in entry.iterdir() if folder.is_dir()] == [f"{protocol}-official"]
    (verified,) = verify_entry(entry, References()).runs
    assert verified.score == run.result.scores[verified.main] and "crps" in verified.score.metrics
    predictions = entry / f"{protocol}-official" / "predictions.parquet"
    frame = pd.read_parquet(predictions)
    frame.iloc[:-1].to_parquet(predictions, index=False)
    assert "does not hold every prediction of its protocol" in cli("verify", "entries").err


def test_runs_become_entries_and_more_runs_join_them(cli, card, k_vrh):
    first = evaluate("knn-composition", k_vrh)
    other = evaluate("knn-composition", "ecd-fcc/band_gap")
    outcome = cli("submit", first.folder, other.folder, "--card", card, "--out", "entries")
    assert outcome.code == 0, outcome.err
    assert "entries/ecd-fcc--band_gap/honest" in outcome.out
    second = evaluate("knn-composition", k_vrh, protocol="cv")
    assert cli("submit", second.folder, "--card", card, "--out", "entries").code == 0
    found = verify_entry(Path("entries/ecd-fcc--k_vrh/honest"), References())
    assert [run.folder.name for run in found.runs] == ["cv-official", "fixed-official"]
    assert cli("verify", "entries").out.endswith("2 verified.\n")


def test_an_entry_says_nothing_of_the_machine_and_of_targets(cli, card, tmp_path, k_vrh, write_model):
    model = write_model(CURVED)
    parameters = {"weights": str(tmp_path / "weights.bin"), "url": "http://10.0.0.7/v1", "known": "https://a.org/v1"}
    run = evaluate(str(model), k_vrh, parameters=parameters, probes=True)
    card.write_text(FILLED)
    assert cli("submit", run.folder, "--card", card, "--out", "entries").code == 0
    folder = Path("entries/ecd-fcc--k_vrh/my-model/fixed-official")
    text = (folder / "result.json").read_text()
    assert str(tmp_path) not in text and "10.0.0.7" not in text
    assert "weights.bin" in text and "https://a.org/v1" in text
    assert "target_hash" not in pd.read_parquet(folder / "predictions.parquet").columns
    curve = json.loads((folder / "curves.json").read_text())["curves"][0]
    assert len(curve["epochs"]) <= 120 and curve["best_epoch"] == 577 in curve["epochs"]
    assert set(curve["train"]) <= {1.0, 2.0, 3.0}
    assert verify_entry(folder.parent, References()).verdict == "verified"


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (("inputs: [formula]", "inputs: [image]"), "the card says inputs"),
        (("seeds: 1", "seeds: 2"), "the card says seeds"),
        (("text_tier: none", "text_tier: key"), "inputs and text_tier disagree"),
    ],
)
def test_a_card_of_another_model_is_refused(cli, card, k_vrh, edit, sentence):
    run = evaluate("knn-composition", k_vrh)
    card.write_text(card.read_text().replace(*edit))
    outcome = cli("submit", run.folder, "--card", card)
    assert outcome.code == 1 and sentence in outcome.err
    assert not Path("submissions").exists()


def test_runs_that_cannot_stand_together_are_refused(cli, card, k_vrh):
    one, two = (evaluate("knn-composition", k_vrh, parameters={"neighbours": n}) for n in (3, 4))
    assert "are both of" in cli("submit", one.folder, two.folder, "--card", card).err
    probed = evaluate("knn-composition", k_vrh, parameters={"neighbours": 3}, probes=True)
    assert cli("submit", one.folder, probed.folder, "--card", card, "--out", "chosen").code == 0
    more = evaluate("knn-composition", k_vrh, parameters={"neighbours": 3}, seeds=2)  # the card says one seed
    assert cli("submit", one.folder, more.folder, "--card", card, "--out", "chosen").code == 0
    some = evaluate("knn-composition", k_vrh, limit=3)
    assert "predicts only 3 rows" in cli("submit", some.folder, "--card", card).err


def test_a_card_that_no_longer_fits_what_is_there(cli, card, k_vrh):
    first = evaluate("knn-composition", k_vrh)
    assert cli("submit", first.folder, "--card", card, "--out", "entries").code == 0
    card.write_text(card.read_text().replace("seeds: 1", "seeds: 3"))
    second = evaluate("knn-composition", k_vrh, protocol="cv", seeds=3)
    assert "the card says seeds" in cli("submit", second.folder, "--card", card, "--out", "entries").err
    assert cli("verify", "entries").code == 0
    chosen = evaluate("knn-composition", k_vrh, seeds=[3, 4, 5])
    assert "an entry has the seeds 0, 1" in cli("submit", chosen.folder, "--card", card).err


def test_curves_that_are_not_finite(write_model, k_vrh):
    values = "[4.0, float('nan'), float('inf'), -1.0, 1e300]"
    run = evaluate(str(write_model(CURVED.replace("[3.0, 2.0, 1.0] * 200", values))), k_vrh)
    assert run.curves().curves[0].train == [4.0, None, None, None, None]
    empty = evaluate(str(write_model(CURVED.replace("[3.0, 2.0, 1.0] * 200", "[]"), "empty.py")), k_vrh)
    assert empty.curves() is None


def test_every_changed_digit_of_a_claim_shows(honest):
    scores = rescore(honest / "fixed-official").scores["holdout"]
    claim = rounded(scores)
    assert first_difference(claim, scores) is None
    for name in ("rmse", "r2", "mae", "skill", "rmse_over_range"):
        digits = f"{claim[name].value:.6g}"
        for at, digit in enumerate(digits):
            if digit.isdigit():
                changed = float(digits[:at] + str((int(digit) + 1) % 10) + digits[at + 1 :])
                score = claim[name].model_copy(update={"value": changed})
                altered = claim.model_copy(update={"metrics": claim.metrics | {name: score}})
                assert first_difference(altered, scores).startswith(name)
    assert agree(0.1 + 0.2, 0.3) and not agree(float("inf"), 1.0)


def test_what_a_killed_submit_left_is_cleared_by_the_next(cli, card, k_vrh):
    run = evaluate("composition-forest", k_vrh, parameters={"trees": 10})
    command = ("submit", run.folder, "--card", card, "--out", "entries")
    assert cli(*command).code == 0
    entry = Path("entries/ecd-fcc--k_vrh/honest")
    for name in (".result.json.part", ".curves.json.part"):
        (entry / "fixed-official" / name).write_text("half")
    (entry / ".card.yaml.part").write_text("half")
    assert "does not belong in an entry" in cli("verify", "entries").err + cli("verify", "entries").out
    assert cli(*command).code == 0
    assert verify_entry(entry, References()).verdict == "verified"
