"""Predictions files as people have them."""

import contextlib
import gzip
import math

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ecdbench.benchmark.adapters import read_predictions
from ecdbench.benchmark.errors import DataError, ModelError
from ecdbench.benchmark.resolve import resolve
from hypothesis import given, settings
from hypothesis import strategies as st

from ..packing import PACK

# Ids that look like numbers or like nothing, and are neither.
FRAME = pd.DataFrame({"id": ["0012", "1e5", "NA", "b"], "prediction": [1.5, -2e-3, 3.0, None]})
TEXTS = {
    "p.csv": FRAME.to_csv(index=False),
    "p.CSV": "\ufeffid, prediction,note\n 0012,1.5,x\n1e5, -2e-3 ,\nNA,3,\nb,NA,\n\n",
    "p.tsv": FRAME.to_csv(index=False, sep="\t"),
    "p.json": '{"0012": 1.5, "1e5": -2e-3, "NA": 3, "b": null}',
    "p.JSON": FRAME.to_json(),
    "columns.json": FRAME.assign(note="x").to_json(orient="columns"),
    "lists.json": '{"id": ["0012", "1e5", "NA", "b"], "prediction": [1.5, -2e-3, 3, NaN]}',
    "records.json": FRAME.to_json(orient="records"),
    "p.jsonl": FRAME.to_json(orient="records", lines=True),
    "p.ndjson": FRAME.to_json(orient="records", lines=True) + "\n\n",
}


def check(predictions):
    assert list(predictions) == list(FRAME["id"])
    assert list(predictions.values())[:3] == [1.5, -2e-3, 3.0]
    assert math.isnan(predictions["b"])


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("name", TEXTS)
def test_every_form_holds_the_same_predictions(tmp_path, name, packing):
    path = tmp_path / f"{name}{packing}"
    path.write_bytes(PACK[packing](TEXTS[name].encode()))
    model = resolve(str(path))
    assert model.name == name.partition(".")[0]
    assert set(model.predictions) == set(FRAME["id"])
    check(model.predictions)


def test_parquet(tmp_path):
    FRAME.to_parquet(tmp_path / "p.parquet")
    check(read_predictions(tmp_path / "p.parquet"))
    (tmp_path / "p.parquet.gz").write_bytes(gzip.compress((tmp_path / "p.parquet").read_bytes()))
    check(read_predictions(tmp_path / "p.parquet.gz"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("p.json", '{"0012": 1, "0012": 2}', r"p\.json has 0012 more than once in one object; keep one of each"),
        ("p.json", '[{"id": "a", "prediction": 1, "prediction": 2}]', "has prediction more than once in one object"),
        ("p.jsonl", '{"id": "a", "prediction": 1, "prediction": 2}', "has prediction more than once in one object"),
        ("p.jsonl", '{"id": "a", "prediction": 1}\n' * 2, "more than one prediction for a; keep one row per id"),
        ("p.csv", "id,prediction\na,1\na,1\n", "more than one prediction for a; keep one row per id"),
        ("p.csv", "id,prediction,prediction\na,1,2\n", "has the column prediction more than once; keep one"),
        ("p.tsv", "id\tid\tprediction\na\tb\t2\n", "has the column id more than once; keep one"),
        ("p.csv", "id,prediction\na,True\nb,False\n", "predicts 'True' for a, which is not a number; write NaN"),
        ("p.json", '{"a": true}', "predicts True for a, which is not a number; write NaN"),
        ("p.json", '{"a": [1]}', r"predicts \[1\] for a, which is not a number"),
        ("p.json", '{"a": 1' + "0" * 400 + "}", "predicts 10000.*0000 for a, which is not a number"),
        ("p.json", '[{"id": 1e5, "prediction": 1}]', r"has the id 100000\.0, which is no text; write it in quotes"),
        ("p.json", '[{"id": null, "prediction": 1}]', "has the id None, which is no text"),
        ("p.json", '[{"id": "a"}]', r"\{'id': 'a'\} is no record with id and prediction"),
        ("p.json", '{"id": ["a", "b"], "prediction": [1]}', "has 2 ids and 1 predictions"),
        ("p.json", '{"id": "a", "prediction": 1}', "predicts 'a' for id, which is not a number"),
        ("p.json", "[1", "cannot be read as json"),
        ("p.json", "[" * 100_000, "cannot be read as json"),
        ("p.csv", "id,prediction\na\n", "cannot be read as csv .*1 cells under a header of 2: a"),
        ("p.csv", "id;prediction\na;1\n", r"needs the columns id and prediction \(found: id;prediction\)"),
        ("p.parquet", "PAR1", "cannot be read as parquet"),
    ],
)
def test_what_is_not_one_number_per_id_is_refused(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelError, match=sentence):
        read_predictions(tmp_path / name)


def test_tables_with_flags_and_repeated_columns(tmp_path):
    path = tmp_path / "p.parquet"
    pd.DataFrame({"id": ["a", "b"], "prediction": [True, False]}).to_parquet(path)
    with pytest.raises(ModelError, match="predicts True for a"):
        read_predictions(path)
    pq.write_table(pa.table([["a"], [1.0], [2.0]], names=["id", "prediction", "prediction"]), path)
    with pytest.raises(ModelError, match="has the column prediction more than once"):
        read_predictions(path)


def test_a_damaged_archive_says_so(tmp_path):
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(TEXTS["p.csv"].encode())[:-9])
    with pytest.raises(DataError, match=r"p\.csv\.gz is truncated or no \.gz file"):
        read_predictions(tmp_path / "p.csv.gz")


@settings(max_examples=60)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.sampled_from([*TEXTS, "p.parquet"]))
def test_any_bytes_are_predictions_or_one_error(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with contextlib.suppress(ModelError):
        assert all(isinstance(value, float) for value in read_predictions(path).values())


@pytest.mark.parametrize("name", ["p.csv", "p.CSV", "p.csv.gz"])
def test_a_compressed_file_is_evaluated_like_a_plain_one(cli, tmp_path, name):
    content = b"id,prediction\nmp-101,300\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    outcome = cli("evaluate", tmp_path / name, "--task", "ecd-fcc/k_vrh")
    assert outcome.code == 1
    assert "The predictions file lacks mp-" in outcome.err
