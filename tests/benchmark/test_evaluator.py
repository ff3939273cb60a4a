import gc
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from ecdbench import evaluate, load_task, read_run
from ecdbench.benchmark.errors import EcdbenchError, ModelError

COUNTING = """
import os, time
from pathlib import Path
LOG = Path(os.environ["FIT_LOG"])
class Counting:
    def __init__(self, fail_at=None, pause=0.0):
        self.fail_at, self.pause = fail_at, pause
    def fit(self, train, validation, context):
        with LOG.open("a") as log:
            log.write(f"{context.seed}\\n")
        time.sleep(self.pause)
        if self.fail_at is not None and len(LOG.read_text().split()) == self.fail_at:
            raise RuntimeError("the reactor is on fire")
        self.mean = sum(train["target"]) / len(train)
    def predict(self, data):
        return [self.mean] * len(data)
"""


@pytest.fixture
def counting(write_model, tmp_path, monkeypatch):
    """A model that writes a line per fit, and a function that counts the lines."""
    log = tmp_path / "fits.log"
    monkeypatch.setenv("FIT_LOG", str(log))
    path = write_model(COUNTING)
    return str(path), lambda: len(log.read_text().split()) if log.exists() else 0


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
    assert run.result.scores["holdout"].rmse.value == pytest.approx(expected)
    assert run.result.scores["holdout"].rmse.low < expected < run.result.scores["holdout"].rmse.high


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
            found["fit"] = pickle.dumps((train, validation, context.task, str(context)))
            self.files = list(train.cache_files)
            self.tables = list(gc.get_referents(train))

        def predict(self, data):
            found["predict"] = pickle.dumps(data)
            found["columns"] = data.column_names
            return np.zeros(len(data))

    evaluate(Thief(), k_vrh)

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
        ("return np.zeros(len(data) + 1)", r"must return shape \(135,\)"),
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
    assert holdout.coverage == pytest.approx(1 - 8 / 32)
    assert holdout.skill.value == 0
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
        assert evaluate(path, data).result.scores["holdout"].skill.value == 0
        assert evaluate(path, data, protocol="cv").result.scores["cv"].r2.value < 0.01


@pytest.mark.parametrize("seeds", [0, [], [1, 1], [-1], ["a"]])
def test_seeds_that_are_none(k_vrh, seeds):
    with pytest.raises(EcdbenchError, match="names no seeds"):
        evaluate("mean", k_vrh, seeds=seeds)


def test_a_part_with_rows_missing_is_run_again(counting, k_vrh, tmp_path):
    model, fits = counting
    run = evaluate(model, k_vrh)
    (part,) = (tmp_path / "cache").rglob("part.json")
    content = json.loads(part.read_text())
    content["predictions"]["holdout"].popitem()
    part.write_text(json.dumps(content))
    assert evaluate(model, k_vrh).result.scores == run.result.scores
    assert fits() == 2


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
    assert evaluate(str(path), k_vrh).result.scores["holdout"].coverage == pytest.approx(1 - 4 / 32)


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


def test_a_finished_part_is_never_run_twice(counting, k_vrh):
    model, fits = counting
    one = evaluate(model, k_vrh, seeds=2)
    assert fits() == 2
    two = evaluate(model, k_vrh, seeds=3)
    assert fits() == 3
    again = evaluate(model, k_vrh, seeds=2)
    assert fits() == 3
    assert again.folder == one.folder != two.folder
    assert again.result.scores == one.result.scores
    evaluate(model, k_vrh, seeds=2, fresh=True)
    assert fits() == 5


def test_what_changes_a_prediction_changes_the_cache(counting, write_model, k_vrh):
    model, fits = counting
    evaluate(model, k_vrh)
    evaluate(model, k_vrh, parameters={"pause": 0.001})
    evaluate(model, load_task("ecd-fcc/k_vrh", text="single"))
    evaluate(model, load_task("ecd-fcc/k_vrh", channel="spin"))
    evaluate(model, load_task("ecd-fcc/k_vrh", split="grouped"))
    evaluate(model, load_task("ecd-fcc/band_gap"))
    assert fits() == 6
    write_model(COUNTING + "\n# another version\n")
    evaluate(model, k_vrh)
    assert fits() == 7


def test_a_failure_in_one_fold_keeps_the_others(counting, k_vrh):
    model, fits = counting
    with pytest.raises(ModelError, match="the reactor is on fire"):
        evaluate(model, k_vrh, protocol="cv", parameters={"fail_at": 4})
    assert fits() == 4
    evaluate(model, k_vrh, protocol="cv", parameters={"fail_at": 4})
    assert fits() == 4 + 7  # the three finished folds are not run again


def test_kill_at_any_moment_then_resume(counting, k_vrh, tmp_path):
    model, fits = counting
    command = [
        sys.executable, "-m", "ecdbench", "evaluate", model, "--task", "ecd-fcc/k_vrh", "--protocol", "cv",
        "--set", "pause=0.3", "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    interrupted = 0
    for wait in (1, 3):
        process = subprocess.Popen(command, env=os.environ)
        while fits() < interrupted + wait and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        interrupted = fits()
        assert not list(tmp_path.glob("runs/**/result.json"))
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    assert fits() <= 10 + 2  # at most the two parts in flight were repeated
    run = read_run(type(tmp_path)(done.stdout.strip()))
    undisturbed = evaluate(model, k_vrh, protocol="cv", parameters={"pause": 0.3}, cache=tmp_path / "other")
    pd.testing.assert_frame_equal(run.predictions(), undisturbed.predictions())
    assert run.result.scores == undisturbed.result.scores


def test_ctrl_c_says_that_nothing_is_lost(counting, tmp_path):
    model, fits = counting
    command = [
        sys.executable, "-m", "ecdbench", "evaluate", model, "--task", "ecd-fcc/k_vrh", "--protocol", "cv",
        "--set", "pause=0.3", "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)
    while fits() < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == "Interrupted. What was finished is kept: the same command goes on from there.\n"
    before = fits()
    subprocess.run(command, env=os.environ, capture_output=True, check=True)
    assert fits() - before <= 10 - 2


def test_the_same_command_twice_at_once_shares_the_work(counting, tmp_path):
    model, fits = counting
    command = [
        sys.executable, "-m", "ecdbench", "evaluate", model, "--task", "ecd-fcc/k_vrh", "--protocol", "cv",
        "--set", "pause=0.2", "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    both = [subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert fits() == 10
    assert len(folders) == 1


def test_a_full_disk_loses_nothing(counting, k_vrh, tmp_path):
    model, fits = counting
    out = tmp_path / "runs"
    finished = evaluate(model, k_vrh, out=out)
    before = (finished.folder / "result.json").read_bytes()
    code = (
        "import resource, sys; from ecdbench.benchmark.cli.app import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); sys.argv = ['ecdbench', *sys.argv[1:]]; main()"
    )
    command = [sys.executable, "-c", code, "evaluate", model, "--task", "ecd-fcc/k_vrh", "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: File too large")
    assert "Traceback" not in result.stderr
    assert (finished.folder / "result.json").read_bytes() == before
    assert not list(out.rglob(".*"))
    assert fits() == 1


def test_predictions_file(k_vrh, tmp_path):
    ids = k_vrh.splits["holdout"]
    table = pd.DataFrame({"id": ids, "prediction": k_vrh.targets(ids) + 1.0})
    file = tmp_path / "mine.csv"
    table.to_csv(file, index=False)
    run = evaluate(str(file), k_vrh)
    assert run.result.scores["holdout"].mae.value == pytest.approx(1.0)
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
        evaluate(Odd(), k_vrh)
    assert Odd.calls == 2


def test_the_record_says_what_was_run(k_vrh):
    result = evaluate("composition-forest", k_vrh, parameters={"trees": 5}, seeds=[3, 8]).result
    assert result.seeds == [3, 8]
    assert result.model.parameters == {"trees": 5}
    assert result.model.inputs == ["formula"]
    assert result.content_sha256 == dict(k_vrh.task.content_sha256)
    assert {part.seed for part in result.parts} == {3, 8}
    assert result.environment.packages["numpy"] == np.__version__
    assert result.scores["holdout"].r2.seed_std > 0
