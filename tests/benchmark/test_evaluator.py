import gc
import json
import pickle
import struct

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ecdbench import evaluate, load_task, read_run
from ecdbench.benchmark.errors import EcdbenchError, ModelError


def predictor(body):
    return f"""
import numpy as np
class Mine:
    def fit(self, train, validation, context):
        self.mean = float(np.mean(train["target"]))
    def predict(self, data):
        {body}
"""


def test_fixed_protocol(k_vrh):
    run = evaluate("mean", k_vrh)
    frame = run.predictions()
    assert frame["split"].value_counts().to_dict() == {split: len(ids) for split, ids in k_vrh.splits.items()}
    train = k_vrh.targets(k_vrh.splits["train"])
    holdout = k_vrh.targets(k_vrh.splits["holdout"])
    assert frame["prediction"].unique() == pytest.approx([train.mean()])
    expected = np.sqrt(np.mean((holdout - train.mean()) ** 2))
    assert run.result.scores["holdout"]["rmse"].value == pytest.approx(expected)
    assert run.result.scores["holdout"]["rmse"].low < expected < run.result.scores["holdout"]["rmse"].high


@pytest.mark.parametrize("split", ["official", "grouped"])
def test_cross_validation_predicts_each_row_once_and_never_touches_the_holdout(split, write_model):
    data = load_task("ecd-fcc/k_vrh", split=split)
    source = """
import json
class Spy:
    def fit(self, train, validation, context):
        self.mean = sum(train["target"]) / len(train)
        (context.work_dir / "ids.json").write_text(json.dumps([list(train["id"]), list(validation["id"])]))
    def predict(self, data):
        return [self.mean] * len(data)
"""
    run = evaluate(str(write_model(source)), data, protocol="cv")
    frame = run.predictions()
    pool = sorted([*data.splits["train"], *data.splits["validation"]])
    assert sorted(frame["id"]) == pool
    for number, part in frame.groupby("fold"):
        train, validation = json.loads((run.folder / "artifacts" / f"seed-0_fold-{number}" / "ids.json").read_text())
        seen, held = set(train) | set(validation), set(part["id"])
        assert seen | held == set(pool)
        assert not seen & held
        assert not set(train) & set(validation)
        if split == "grouped":
            assert not {data.groups[m] for m in seen} & {data.groups[m] for m in held}


def test_holdout_targets_are_not_reachable(k_vrh, write_model):
    """Everything handed to a predictor, pickled with all it refers to, holds no target of the holdout."""
    found = {}

    class Thief:
        def fit(self, train, validation, context):
            found["fit"] = pickle.dumps((train, validation, vars(context)))
            self.files = list(train.cache_files)
            self.tables = list(gc.get_referents(train))

        def predict(self, data):
            found["predict"] = pickle.dumps(data)
            found["columns"] = data.column_names
            return np.zeros(len(data))

    evaluate(Thief(), k_vrh, isolation="none")

    def holds(blob, value):
        return struct.pack("<d", value) in blob or repr(value).encode() in blob

    secret = set(k_vrh.targets(k_vrh.splits["holdout"])) - set(
        k_vrh.targets([*k_vrh.splits["train"], *k_vrh.splits["validation"]])
    )
    assert len(secret) > 20
    assert not any(holds(found["fit"], value) or holds(found["predict"], value) for value in secret)
    assert holds(found["fit"], k_vrh.targets(k_vrh.splits["train"][:1])[0])  # the search can find one
    assert found["columns"] == ["id", "image", "density", "formula"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise ValueError('boom')", "failed in predict: ValueError: boom"),
        ("return np.zeros(len(data) + 1)", r"must return shape \(\d+,\)"),
        ("return np.zeros((len(data), 1))", r"Use .ravel\(\)"),
        ("return ['heavy'] * len(data)", "must return numbers"),
        ("return [None] * len(data)", "must return numbers"),
        ("return [[1], [2, 3]] + [[0]] * (len(data) - 2)", "one number per row"),
        ("return None", "must return"),
        ("raise SystemExit(0)", "failed in predict: SystemExit"),
        ("return np.full(len(data), 1j)", "must return numbers"),
        ("return (x for x in data)", "must return numbers"),
        ("return data['target']", "Targets are handed to fit only"),
        ("return data['text']", "there with --text single, key or all"),
        ("return [row['target'] for row in data]", "Targets are handed to fit only"),
    ],
)
def test_bad_predictors(write_model, k_vrh, body, sentence):
    path = write_model(predictor(body))
    with pytest.raises(ModelError, match=sentence):
        evaluate(str(path), k_vrh)


@pytest.mark.parametrize("bad", ["nan", "inf", "float64(1e200)"])
def test_predictions_that_are_not_finite_are_counted_and_imputed(write_model, k_vrh, bad):
    path = write_model(predictor(f"p = np.full(len(data), self.mean); p[:8] = np.{bad}; return p"))
    run = evaluate(str(path), k_vrh)
    holdout = run.result.scores["holdout"]
    assert holdout.coverage == pytest.approx(1 - 8 / len(k_vrh.splits["holdout"]))
    assert holdout["skill"].value == pytest.approx(0)
    assert not run.result.rankable
    frame = run.predictions()
    assert (frame[frame["split"] == "holdout"]["status"] == "failed").sum() == 8


def test_folds_and_schemes_share_no_folder(write_model):
    """A model that keeps every target it has seen in its cache folder has none of those it predicts."""
    source = """
import json
class Hoarder:
    def fit(self, train, validation, context):
        self.file = context.cache_dir / "seen.json"
        seen = json.loads(self.file.read_text()) if self.file.exists() else {}
        for part in (train, validation):
            seen |= dict(zip(part["id"], map(float, part["target"])))
        self.file.write_text(json.dumps(seen))
        self.seen, self.mean = seen, sum(train["target"]) / len(train)
    def predict(self, data):
        return [self.seen.get(material, self.mean) for material in data["id"]]
"""
    path = str(write_model(source))
    for split in ("grouped", "official"):
        data = load_task("ecd-fcc/k_vrh", split=split)
        assert evaluate(path, data).result.scores["holdout"]["skill"].value == pytest.approx(0)
        assert evaluate(path, data, protocol="cv").result.scores["cv"]["r2"].value < 0.01


@pytest.mark.parametrize("seeds", [0, [], [1, 1], [-1], ["a"]])
def test_seeds_that_are_none(k_vrh, seeds):
    with pytest.raises(EcdbenchError, match="invalid seeds="):
        evaluate("mean", k_vrh, seeds=seeds)


def test_models_with_neighbours_of_one_name(tmp_path, k_vrh):
    found = {}
    for folder, value in (("one", 1.0), ("two", 100.0)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "settings_of_model.py").write_text(f"VALUE = {value}\n")
        body = "from settings_of_model import VALUE; return np.full(len(data), VALUE)"
        (tmp_path / folder / "model.py").write_text(predictor(body))
    for folder in ("one", "two", "one"):
        run = evaluate(str(tmp_path / folder / "model.py"), k_vrh, out=tmp_path / "runs")
        found[folder] = set(run.predictions()["prediction"])
    assert found == {"one": {1.0}, "two": {100.0}}


def test_objects_do_not_overwrite_each_other(k_vrh):
    class Same:
        def __init__(self, value):
            self.value = value

        def fit(self, train, validation, context): ...

        def predict(self, data):
            return np.full(len(data), self.value)

    runs = [evaluate(Same(value), k_vrh) for value in (1.0, 100.0)]
    assert runs[0].folder != runs[1].folder


def test_masked_predictions_are_failed_ones(write_model, k_vrh):
    path = write_model(predictor("return np.ma.masked_array(np.ones(len(data)), np.arange(len(data)) < 4)"))
    coverage = evaluate(str(path), k_vrh).result.scores["holdout"].coverage
    assert coverage == pytest.approx(1 - 4 / len(k_vrh.splits["holdout"]))


@pytest.mark.parametrize(
    "act",
    [
        "os.chdir('/')",
        "shutil.rmtree(context.work_dir)",
        "(context.work_dir / 'link').symlink_to('/nowhere')",
        "(context.work_dir / 'folder').mkdir()",
    ],
)
def test_a_model_that_wanders_about(write_model, k_vrh, tmp_path, act):
    source = f"""
import os, shutil
import numpy as np
class Wanderer:
    def fit(self, train, validation, context):
        {act}
    def predict(self, data):
        return np.ones(len(data))
    def info(self):
        return {{"array": np.arange(2), "number": np.float32(1.5), "object": object}}
"""
    run = evaluate(str(write_model(source)), k_vrh, out="runs")
    assert run.folder.is_relative_to(tmp_path)
    assert read_run(run.folder).result.model.info["number"] == 1.5


def test_predictions_file(k_vrh, tmp_path):
    ids = k_vrh.splits["holdout"]
    table = pd.DataFrame({"id": ids, "prediction": k_vrh.targets(ids) + 1.0})
    file = tmp_path / "mine.csv"
    table.to_csv(file, index=False)
    run = evaluate(str(file), k_vrh)
    assert run.result.scores["holdout"]["mae"].value == pytest.approx(1.0)
    assert list(run.result.scores) == ["holdout"]
    table[1:].to_csv(file, index=False)
    with pytest.raises(ModelError, match=f"lacks {ids[0]}"):
        evaluate(str(file), k_vrh)
    pd.concat([table, pd.DataFrame({"id": ["mp-0"], "prediction": [1.0]})]).to_csv(file, index=False)
    with pytest.raises(ModelError, match="does not have: mp-0"):
        evaluate(str(file), k_vrh)


def test_an_object_is_not_cached(k_vrh):
    class Odd:
        calls = 0

        def fit(self, train, validation, context):
            Odd.calls += 1

        def predict(self, data):
            return np.zeros(len(data))

    for _ in range(2):
        evaluate(Odd(), k_vrh, isolation="none")
    assert Odd.calls == 2


def test_the_record_says_what_was_run(k_vrh):
    result = evaluate("composition-forest", k_vrh, parameters={"trees": 5}, seeds=[3, 8]).result
    assert result.seeds == [3, 8]
    assert result.model.parameters == {"trees": 5}
    assert result.model.inputs == ["formula"]
    assert result.columns == k_vrh.pins(["formula"], reads_folds=False)
    assert set(result.columns) == {"id", "k_vrh", "split_official", "chemical_system", "formula"}
    assert {fit.seed for fit in result.fits} == {3, 8}
    assert result.environment.packages["numpy"] == np.__version__
    assert result.scores["holdout"]["r2"].seed_std > 0


def test_a_model_is_handed_the_inputs_that_it_states_and_no_others(write_model, k_vrh):
    source = """
import numpy as np
class Model:
    inputs = ("formula",)
    def fit(self, train, validation, context):
        assert train.column_names == ["id", "formula", "target"]
    def predict(self, data):
        return np.zeros(len(data)) if "{column}" in data.column_names else data["{column}"]
"""
    evaluate(str(write_model(source.format(column="formula"))), k_vrh)
    with pytest.raises(ModelError, match=r"states inputs = \('formula',\) and is handed no others; add 'density'"):
        evaluate(str(write_model(source.format(column="density"))), k_vrh)


@pytest.mark.parametrize(("protocol", "most"), [("fixed", 8), ("cv", 12)])
def test_files_are_read_once(monkeypatch, protocol, most):
    opened = []
    for name in ("ParquetFile", "read_schema", "read_table"):
        real = getattr(pq, name)
        monkeypatch.setattr(pq, name, lambda path, *a, _real=real, **k: (opened.append(path), _real(path, *a, **k))[1])
    evaluate("mean", "ecd-fcc/k_vrh", protocol=protocol)
    assert 0 < len(opened) <= most


def test_targets_of_the_holdout_are_read_after_the_last_fit(monkeypatch, k_vrh):
    asked = []
    read = type(k_vrh).read_targets
    monkeypatch.setattr(type(k_vrh), "read_targets", lambda self, ids: (asked.append(set(ids)), read(self, ids))[1])

    class Model:
        def fit(self, train, validation, context):
            self.seen = set().union(*asked)

        def predict(self, data):
            assert self.seen == set().union(*asked)
            return np.zeros(len(data))

    holdout = set(k_vrh.splits["holdout"])
    evaluate(Model(), k_vrh, seeds=2)
    assert [bool(ids & holdout) for ids in asked] == [False, True]
    asked.clear()
    evaluate(Model(), k_vrh, protocol="cv")
    assert len(asked) == 1 and not asked[0] & holdout


def test_a_binary_target(write_model):
    source = """
import numpy as np
class Model:
    inputs = ()
    def fit(self, train, validation, context):
        assert context.kind == "classification" and set(np.asarray(train["target"])) == {0.0, 1.0}
        self.share = np.mean(train["target"])
    def predict(self, data):
        return np.where(np.arange(len(data)) == 0, 1.1, self.share)
"""
    run = evaluate(str(write_model(source)), "ecd-fcc/is_metal")
    holdout = run.result.scores["holdout"]
    assert (run.result.kind, run.result.metric) == ("classification", "log_loss")
    assert holdout.coverage == pytest.approx(1 - 1 / holdout.n)  # 1.1 is no probability
    assert holdout["roc_auc"].value == 0.5 and 0.6 < holdout["log_loss"].value < 0.8
    for spec, parameters in (
        ("sklearn.linear_model:LogisticRegression", {"features": "composition", "max_iter": 2000}),
        ("sklearn.linear_model:Ridge", {"features": "composition"}),
        ("composition-forest", {"trees": 20}),
    ):
        scores = evaluate(spec, "ecd-fcc/is_metal", parameters=parameters).result.scores["holdout"]
        assert scores["roc_auc"].value > 0.7 and scores.coverage == 1
