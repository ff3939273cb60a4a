"""Every registered model is handed the columns that it declares, and no others."""

import pytest
from ecdbench import load_task
from ecdbench.benchmark.evaluator import Setting, evaluate_model
from ecdbench.benchmark.fit_processes.trace import Trace
from ecdbench.benchmark.fitting import FitAnswer
from ecdbench.benchmark.loading import PREDICTORS
from ecdbench.benchmark.resolve import resolve

SMALL = {"backbone": "test_resnet", "weights": "random"}  # nothing is fitted here


class Recorder:
    """A place where nothing is fitted: it keeps the jobs, and answers zeros."""

    isolation = "none"

    def __init__(self):
        self.jobs = []

    def prepare(self):
        pass

    def fit(self, model, job, context):
        self.jobs.append(job)
        zeros = {split: [0.0] * len(rows) for split, rows in job.predicted.items()}
        return FitAnswer(predictions=zeros, seconds_fit=0.0, seconds_predict=0.0), Trace()


@pytest.mark.parametrize("name", PREDICTORS.names())
def test_a_baseline_is_handed_what_it_declares(name, encoders, clip_folder, tmp_path):
    needed = {
        "in-context": {"model": "made-up"},
        "frozen": SMALL,
        "finetuned": SMALL,
        "image-text": SMALL | {"encoder": encoders["roberta"]},
        "clip": {"model": clip_folder},
    }
    model = resolve(name, needed.get(name))
    assert model.inputs is not None, "it must declare inputs, if only ()"
    data = load_task("ecd-fcc/k_vrh", text="key" if "text" in model.inputs else "none")
    place = Recorder()
    setting = Setting("fixed", [0], "cpu", tmp_path / "runs", tmp_path / "cache", place=place)
    evaluate_model(model, data, setting)
    (job,) = place.jobs
    declared = {column for column in model.inputs if column == "id" or column in data.inputs}
    assert declared or not model.inputs
    for rows in (job.train, job.validation):
        assert set(rows.column_names) == declared | {"id", "target"}
    for rows in job.predicted.values():
        assert set(rows.column_names) == declared | {"id"}
    if "id" not in declared:
        assert not set(job.train["id"]) & set(data.ids)
