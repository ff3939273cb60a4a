"""Probes of any model: inputs exchanged between rows; and runs of a few rows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ecdbench import evaluate, load_task
from ecdbench.benchmark.differences import Difference
from ecdbench.benchmark.errors import EcdbenchError
from ecdbench.benchmark.metrics import METRICS
from ecdbench.benchmark.probes import others, reading
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.text(max_size=5), min_size=2, max_size=30, unique=True))
def test_every_row_gets_another_one(ids):
    partners = others(ids)
    assert sorted(partners.values()) == sorted(ids)
    assert all(sample_id != other for sample_id, other in partners.items())
    assert others(ids[::-1]) == partners


def test_a_model_that_looks_at_the_image(k_vrh):
    probes = evaluate("pixel-ridge", k_vrh, probes=True).result.probes
    assert list(probes) == ["image of another row", "blank image"]
    assert probes["blank image"].difference.low > 0
    probe = probes["image of another row"]
    assert probe.difference.low > 0 and probe.reading.endswith("image used.")
    assert probe.scores.n == len(k_vrh.splits["holdout"]) and probe.scores["rmse"].low is not None


def test_a_model_that_does_not(write_model):
    source = """
import numpy as np
class Blind:
    def fit(self, train, validation, context):
        self.mean = float(np.mean(train["target"]))
    def predict(self, data):
        return self.mean + np.array([len(text) for text in data["text"]])
"""
    data = load_task("ecd-fcc/k_vrh", text="all")
    probes = evaluate(str(write_model(source)), data, probes=True).result.probes
    assert probes["image of another row"].difference.value == 0
    assert "no use of image shows" in probes["image of another row"].reading
    assert probes["text of another row"].difference.value != 0
    assert list(probes) == ["image of another row", "text of another row", "blank image", "no text"]
    assert probes["no text"].difference.value != 0 and probes["blank image"].difference.value == 0


def test_probes_are_printed_and_kept(cli):
    for _ in range(2):
        outcome = cli("evaluate", "composition-forest", "--task", "ecd-fcc/k_vrh", "--probes")
        assert outcome.code == 0 and "Probes: what the model uses" in outcome.out
        assert "text of another row: RMSE moves by +" in outcome.out
    assert "Probes" not in cli("evaluate", "composition-forest", "--task", "ecd-fcc/k_vrh").out
    outcome = cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "--probes")
    assert outcome.code == 0 and "looks at nothing that could be exchanged" in outcome.err
    run = evaluate("mean", "ecd-fcc/k_vrh")
    run.predictions().to_csv("p.csv", index=False)
    assert "leave out --probes" in cli("evaluate", "p.csv", "--task", "ecd-fcc/k_vrh", "--probes").err


@pytest.mark.parametrize(
    ("low", "high", "coverage", "said"),
    [
        (1.0, 3.0, 1.0, "image used"),
        (-1.0, 3.0, 1.0, "no use of image shows"),
        (-3.0, -1.0, 1.0, "image misleading"),
        (1.0, 3.0, 0.5, "nothing can be said, only 50%"),
        (None, None, 1.0, "the difference is undefined"),
    ],
)
def test_readings(low, high, coverage, said):
    value = None if low is None else (low + high) / 2
    assert said in reading("no image", Difference(value=value, low=low, high=high), coverage, METRICS.get("rmse"))


def test_a_few_rows(k_vrh, cli):
    run = evaluate("pixel-ridge", k_vrh, limit=5)
    frame = run.predictions()
    for split, part in frame.groupby("split"):
        asked = part[part["status"] != "not asked"]
        assert list(asked["id"]) == list(k_vrh.splits[split][:5]) and np.isfinite(asked["prediction"]).all()
        assert part.loc[part["status"] == "not asked", "prediction"].isna().all()
    assert run.result.limit == 5 and not run.result.rankable
    whole = evaluate("pixel-ridge", k_vrh)
    assert whole.folder != run.folder and whole.result.scores["holdout"].coverage == 1
    record = json.loads((Path(run.folder) / "result.json").read_text())
    assert record["scores"]["holdout"]["coverage"] == pytest.approx(5 / len(k_vrh.splits["holdout"]))
    outcome = cli("evaluate", "pixel-ridge", "--task", "ecd-fcc/k_vrh", "--limit", "5")
    assert outcome.code == 3 and "Leave out --limit" in outcome.err
    with pytest.raises(EcdbenchError, match="limit must be a positive integer"):
        evaluate("pixel-ridge", k_vrh, limit=0)


def test_what_a_blank_is(write_model):
    source = """
import numpy as np
class Watcher:
    def fit(self, train, validation, context): ...
    def predict(self, data):
        images = np.stack([np.asarray(image) for image in data["image"]])
        flat = np.ptp(images, axis=(1, 2)).max(axis=1) == 0
        even = np.array([np.ptp(density) == 0 for density in data["density"]])
        empty = np.array([text == "" for text in data["text"]])
        return 1.0 * flat + 2.0 * even + 4.0 * empty
"""
    data = load_task("ecd-fcc/k_vrh", text="single")
    run = evaluate(str(write_model(source)), data, probes=True)
    table = pd.read_parquet(run.folder / "probes.parquet")
    said = {probe: set(part["prediction"]) for probe, part in table.groupby("probe")}
    assert said == {"image of another row": {0}, "text of another row": {0}, "blank image": {3}, "no text": {4}}
    for probe, part in table.groupby("probe"):
        gaps = part["prediction"].to_numpy() - data.targets(part["id"])
        assert run.result.probes[probe].scores["rmse"].value == pytest.approx(np.sqrt((gaps**2).mean()))


def test_ablate_command(cli):
    outcome = cli("ablate", "joint-forest", "--task", "ecd-fcc/k_vrh", "--set", "trees=30")
    assert outcome.code == 0 and "as it is" in outcome.out
    for name in ("image of another row", "text of another row", "blank image"):
        assert f"{name}: RMSE moves by" in outcome.out
    records = json.loads(cli("ablate", "pixel-ridge", "--task", "ecd-fcc/k_vrh", "--json").out)["probes"]
    assert [record["probe"] for record in records] == ["image of another row", "blank image"]
    assert "nothing to ablate" in cli("ablate", "mean", "--task", "ecd-fcc/k_vrh").err
