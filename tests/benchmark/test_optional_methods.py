"""What a predictor may say besides its predictions: stages, notes, a fingerprint."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from ecdbench import evaluate
from ecdbench.benchmark.errors import ModelError
from PIL import Image

STAGED = """
from pathlib import Path
import numpy as np

class Staged:
    def fit(self, train, validation, context):
        self.mean = float(np.mean(train["target"]))
        context.notes.append(f"Seen {len(train)} rows.")

    def predict(self, data):
        return np.full(len(data), self.mean)

    def predict_stages(self, data):
        return {"first": np.full(len(data), self.mean + 50), "second": self.predict(data)}

    def fingerprint(self):
        return {"file": Path("weights").read_text()}
"""


@pytest.fixture
def staged(write_model):
    from pathlib import Path

    Path("weights").write_text("a")
    return str(write_model(STAGED))


def test_stages_are_scored_like_the_model(staged, k_vrh):
    run = evaluate(staged, k_vrh, protocol="cv", seeds=2)
    stages = run.result.stages
    assert list(stages) == ["first", "second"]
    assert stages["second"]["cv"] == run.result.scores["cv"]
    assert stages["first"]["cv"]["rmse"].value > stages["second"]["cv"]["rmse"].value
    assert stages["first"]["cv"]["rmse"].low is not None
    if importlib.util.find_spec("matplotlib"):
        Image.open(run.folder / "stages.png").verify()


def test_stages_are_printed_and_survive_the_cache(staged, cli, k_vrh):
    for _ in range(2):
        found = cli("evaluate", staged, "--task", "ecd-fcc/k_vrh")
        assert "Stage by stage" in found.out and "first" in found.out
        assert found.out.count(f"Seen {len(k_vrh.splits['train'])} rows.") == 1
    run = found.out.split("Run folder: ")[1].strip()
    assert "Stage by stage" in cli("show", run).out


def test_notes_of_many_parts_are_said_once(staged, k_vrh):
    run = evaluate(staged, k_vrh, seeds=3)
    assert run.result.notes == [f"Seen {len(k_vrh.splits['train'])} rows."]


def test_warnings_are_counted_and_not_printed(write_model, cli):
    model = write_model(
        """
import warnings
import numpy as np

class Warns:
    def fit(self, train, validation, context):
        for n in range(500):
            warnings.warn(f"slow at {n}")

    def predict(self, data):
        return np.zeros(len(data))
"""
    )
    outcome = cli("evaluate", str(model), "--task", "ecd-fcc/k_vrh")
    assert outcome.code == 0
    assert "slow at" not in outcome.err
    assert "Warnings: other warnings (480 times); UserWarning: slow at 0; " in outcome.out


def test_another_fingerprint_is_another_run(staged, k_vrh):
    from pathlib import Path

    first = evaluate(staged, k_vrh)
    Path("weights").write_text("b")
    second = evaluate(staged, k_vrh)
    Path("weights").write_text("a")
    third = evaluate(staged, k_vrh)
    assert first.folder == third.folder != second.folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"second": self.predict(data)', '"second": [1.0]'), "returned shape"),
        (('Path("weights").read_text()', 'Path("nothing").read_text()'), "failed in fingerprint"),
        (("return {", "return 1 or {"), "failed in"),
    ],
)
def test_what_optional_methods_may_not_return(write_model, k_vrh, change, message):
    from pathlib import Path

    Path("weights").write_text("a")
    with pytest.raises(ModelError, match=message):
        evaluate(str(write_model(STAGED.replace(*change))), k_vrh)


def test_a_failed_prediction_of_a_stage_counts(write_model, k_vrh):
    from pathlib import Path

    Path("weights").write_text("a")
    broken = STAGED.replace("np.full(len(data), self.mean + 50)", "np.array([np.nan] * len(data))")
    run = evaluate(str(write_model(broken)), k_vrh)
    assert run.result.stages["first"]["holdout"].coverage == 0
    assert run.result.scores["holdout"].coverage == 1
    assert isinstance(run.predictions(), pd.DataFrame) and np.isfinite(run.predictions()["prediction"]).all()
