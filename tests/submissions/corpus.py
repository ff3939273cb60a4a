"""Hostile entries: each a function that spoils an honest one, and what the refusal must say."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from ecdbench import load_task
from ecdbench.submissions.checks import rounded
from ecdbench.submissions.predictions import checksums
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import rescore

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
CANARY = "canary-was-executed"


def card(change):
    def spoil(entry: Path):
        file = entry / "card.yaml"
        file.write_text(change(file.read_text()))

    return spoil


def raw_card(content: bytes):
    return lambda entry: (entry / "card.yaml").write_bytes(content)


def line(field: str, value: str):
    """Replace a field of the card."""

    def change(text: str) -> str:
        return yaml.safe_dump(yaml.safe_load(text) | {field: yaml.safe_load(value)}, allow_unicode=True)

    return card(change)


def result(**changes):
    def spoil(entry: Path):
        file = entry / "fixed-official" / "result.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return spoil


def edit_result(change):
    def spoil(entry: Path):
        file = entry / "fixed-official" / "result.json"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    return spoil


def rows(change, honest_checks=False, claim_again=False):
    """Change the table; a cheat may compute the checksums and scores again."""

    def spoil(entry: Path):
        run = entry / "fixed-official"
        frame = change(pd.read_parquet(run / "predictions.parquet"))
        if honest_checks or claim_again:
            frame["check"] = np.array(checksums(frame), dtype="uint32")
        frame.to_parquet(run / "predictions.parquet", index=False)
        if claim_again:
            content = json.loads((run / "result.json").read_text())
            found = rescore(run, References())
            content["scores"] = {s: json.loads(rounded(v).model_dump_json()) for s, v in found.scores.items()}
            (run / "result.json").write_text(json.dumps(content))

    return spoil


def one(frame, column, value):
    frame = frame.copy()
    frame.loc[frame.index[frame["split"] == "holdout"][3], column] = value
    return frame


def last_digit(frame):
    frame = frame.copy()
    at = frame.index[frame["split"] == "holdout"][5]
    frame.loc[at, "prediction"] = np.nextafter(frame.loc[at, "prediction"], np.inf)
    return frame


def copied(frame, share):
    data = load_task("ecd-fcc/k_vrh")
    targets = dict(zip(data.ids, data.targets(data.ids), strict=True))
    frame = frame.copy()
    chosen = frame["split"].eq("holdout") & (np.arange(len(frame)) % round(1 / share) == 0)
    frame.loc[chosen, "prediction"] = frame.loc[chosen, "id"].map(targets)
    return frame


def noisy(frame, split, noise):
    """The targets of a split with normal noise, as a share of their standard deviation."""
    targets = copied(frame, 1)["prediction"].where(frame["split"].eq("holdout"), frame["prediction"])
    chosen = frame["split"].eq(split)
    spread = noise * targets[chosen].std() * np.random.default_rng(0).normal(size=chosen.sum())
    return frame.assign(prediction=targets.where(~chosen, targets + pd.Series(spread, index=targets.index[chosen])))


USAGE = {
    "answers": 1, "sent": 1, "prompt_tokens": 1, "completion_tokens": 1, "cost": 1.0, "seconds_median": 1.0,
    "seconds_p95": 1.0, "models": ["m"], "statuses": {"ok": 1},
}  # fmt: skip


def curves(train: str, best: str = "0"):
    """Learning curves of one epoch, as text: JSON that is none, or that does not fit."""
    text = f'{{"stage": "s", "epochs": [0], "train": [{train}], "validation": [1.0], "best_epoch": {best}}}'
    text = f'{{"curves": [{text}]}}'
    return lambda entry: (entry / "fixed-official" / "curves.json").write_text(text)


def large_text(whole):
    """One long text that all rows share: small as a dictionary, large when it is unpacked."""
    position = whole.schema.get_field_index("status")
    return whole.set_column(position, "status", pa.array(["x" * 500_000] * len(whole)))


def loop(entry: Path):
    for file in sorted(entry.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    entry.rmdir()
    entry.symlink_to(entry.name)


def table(build, **how):
    """Write another parquet file."""

    def spoil(entry: Path):
        file = entry / "fixed-official" / "predictions.parquet"
        pq.write_table(build(pq.read_table(file)), file, **how)

    return spoil


def bomb(_table):
    n = 30_000_000
    return pa.table({"id": pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype="int8")), ["mp-1"])})


def linked(entry: Path):
    target = entry / "fixed-official" / "predictions.parquet"
    moved = entry.parent.parent / f"{entry.name}.parquet"
    target.rename(moved)
    target.symlink_to(moved)


def folder_linked(entry: Path):
    moved = entry.parent.parent / f"{entry.name}-moved"
    entry.rename(moved)
    entry.symlink_to(moved)


def zipped(entry: Path):
    with zipfile.ZipFile(entry.with_suffix(".zip"), "w") as archive:
        archive.write(entry / "card.yaml", "../../card.yaml")
    for file in sorted(entry.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    entry.rmdir()
    entry.with_suffix(".zip").rename(entry)


def digit(content, *path):
    *parents, last = path
    for part in parents:
        content = content[part]
    text = f"{content[last]:.6g}"
    at = next(i for i in reversed(range(len(text))) if text[i].isdigit())
    content[last] = float(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])


def named(name: str):
    return lambda entry: (entry / name).write_text("x")


def pickled(name: str):
    return lambda entry: (entry / name).write_bytes(b"cos\nsystem\n(S'touch " + CANARY.encode() + b"'\ntR.")


BILLION_LAUGHS = b"a: &a [x,x,x,x,x,x,x,x]\n" + b"".join(
    f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n".encode()
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
EXECUTES = f"notes: !!python/object/apply:os.system ['touch {CANARY}']\n".encode()

# name: (what is done, what the sentence must hold)
REFUSED = {
    "nan": (rows(lambda f: one(f, "prediction", np.nan), honest_checks=True), "finite number"),
    "inf": (rows(lambda f: one(f, "prediction", np.inf), honest_checks=True), "finite number"),
    "minus-inf": (rows(lambda f: one(f, "prediction", -np.inf), honest_checks=True), "finite number"),
    "failed-with-number": (rows(lambda f: one(f, "status", "refused"), honest_checks=True), "finite number"),
    "missing-id": (rows(lambda f: f.drop(f.index[f["split"] == "holdout"][0])), "is missing"),
    "missing-split": (rows(lambda f: f[f["split"] != "holdout"]), "is missing"),
    "no-rows": (rows(lambda f: f[:0]), "different seeds"),
    "duplicate-id": (rows(lambda f: pd.concat([f, f[-1:]])), "there twice"),
    "duplicate-instead": (rows(lambda f: one(f, "id", f["id"].iloc[-1])), "is missing"),
    "extra-id": (rows(lambda f: pd.concat([f, f[-1:].assign(id="mp-0")])), "was not asked for"),
    "strange-id": (rows(lambda f: one(f, "id", SCRIPT)), "is missing"),
    "strange-split": (rows(lambda f: one(f, "split", "exam")), "is missing"),
    "other-fold": (rows(lambda f: f.assign(fold=7)), "is missing"),
    "other-seed": (rows(lambda f: f.assign(seed=7)), "seed"),
    "huge-seed": (rows(lambda f: f.assign(seed=2**62)), "seed"),
    "digit-of-prediction": (rows(last_digit), "was changed after"),
    "digit-of-prediction-checked": (
        rows(lambda f: one(f, "prediction", f["prediction"].iloc[-1] + 1), honest_checks=True),
        "do not follow",
    ),
    "digit-of-rmse": (
        edit_result(lambda r: digit(r, "scores", "holdout", "metrics", "rmse", "value")),
        "holdout rmse is",
    ),
    "interval": (
        edit_result(lambda r: r["scores"]["holdout"]["metrics"]["r2"].update(low=0.1, high=0.2)),
        "holdout r2 has an interval, which the board computes",
    ),
    "digit-of-train-mae": (
        edit_result(lambda r: digit(r, "scores", "train", "metrics", "mae", "value")),
        "train mae is",
    ),
    "score-none": (
        edit_result(lambda r: r["scores"]["holdout"]["metrics"]["rmse"].update(value=None)),
        "holdout rmse is",
    ),
    "score-nan": (
        edit_result(lambda r: r["scores"]["holdout"]["metrics"]["rmse"].update(value=float("nan"))),
        "unknown or altered fields",
    ),
    "score-text": (
        edit_result(lambda r: r["scores"]["holdout"]["metrics"]["rmse"].update(value="best")),
        "not a result",
    ),
    "score-of-another-split": (
        edit_result(lambda r: r["scores"].update(exam=r["scores"]["holdout"])),
        "a split that it has no predictions of",
    ),
    "coverage": (edit_result(lambda r: r["scores"]["holdout"].update(coverage=0.5)), "coverage"),
    "train-range": (result(train_range=1.0), "train_range"),
    "train-mean": (edit_result(lambda r: digit(r, "fits", 0, "train_mean")), "train_mean"),
    "n-train": (edit_result(lambda r: r["fits"][0].update(n_train=1)), "n_train"),
    "seeds-chosen": (edit_result(lambda r: r.update(seeds=[7])), "other seeds than"),
    "key-unknown": (result(best="SOTA"), "unknown or altered fields"),
    "key-twice": (
        lambda e: (e / "fixed-official/result.json").write_text(
            '{"unit": "eV", ' + (e / "fixed-official/result.json").read_text().lstrip()[1:]
        ),
        "has a repeated key",
    ),
    "text-tier": (result(text='=HYPERLINK("http://evil","x")'), "text tier or density channel"),
    "channel": (result(channel="@SUM(1)\x1b[2J"), "text tier or density channel"),
    "long-text": (edit_result(lambda r: r["model"]["parameters"].update(a="x" * 5000)), "text of 5,000 characters"),
    "future": (result(created="2999-01-01T00:00:00Z"), "in the future"),
    "seconds": (edit_result(lambda r: r["fits"][0].update(seconds_fit=float("nan"))), "not a result"),
    "cores": (edit_result(lambda r: r["environment"].update(cpu_count=10**4000)), "not a result"),
    "usage": (edit_result(lambda r: r["fits"][0].update(usage=USAGE | {"answers": 10**400})), "not a result"),
    "usage-cost": (edit_result(lambda r: r["fits"][0].update(usage=USAGE | {"cost": -1.0})), "not a result"),
    "curves-nan": (curves("NaN"), "learning curves"),
    "curves-infinite": (curves("1e999"), "learning curves"),
    "curves-huge": (curves("1", best="9" * 400), "learning curves"),
    "curves-short": (curves("1, 2"), "learning curves"),
    "std-infinite": (rows(lambda f: f.assign(prediction_std=-np.inf), honest_checks=True), "prediction_std"),
    "predictions-one-large-text": (table(large_text), "more than 200 characters"),
    "predictions-zstd": (table(lambda t: t, compression="zstd"), "compressed with ZSTD"),
    "predictions-groups": (table(lambda t: t, row_group_size=1), "no task needs"),
    "folder-loop": (loop, "is not a folder"),
    "card-name-reserved": (line("name", "nul"), "cannot have"),
    "card-name-of-a-run": (line("name", "fixed-effects"), "cannot have"),
    "card-author-blank": (line("authors", '[{name: " "}]'), "authors"),
    "card-author-filler": (line("authors", '[{name: "\u3164"}]'), "invisible"),
    "card-orcid-digits": (line("authors", '[{name: A, orcid: "\u0660\u0660\u0660\u0660-0002-1825-0097"}]'), "orcid"),
    "card-tier": (line("text_tier", "key"), "disagree"),
    "fits": (edit_result(lambda r: r.update(fits=r["fits"] * 2)), "fits"),
    "no-fits": (result(fits=[]), "fits"),
    "rankable": (result(rankable=False), "rankable"),
    "unit": (result(unit="MPa"), "unit"),
    "another-target": (
        edit_result(lambda r: r["columns"].update(k_vrh="0" * 64)),
        "another version of the column k_vrh",
    ),
    "another-input": (
        edit_result(lambda r: r["columns"].update(formula="0" * 64)),
        "another version of the column formula",
    ),
    "other-rows": (edit_result(lambda r: r["columns"].update(id="0" * 64)), "other rows"),
    "no-pins": (result(columns={}), "other rows"),
    "input-not-pinned": (edit_result(lambda r: r["columns"].pop("formula")), "does not pin exactly"),
    "pins-more": (
        edit_result(lambda r: r["columns"].update(text_all="0" * 64)),
        "another version of the column text_all",
    ),
    "pins-nonsense": (edit_result(lambda r: r["columns"].update({SCRIPT: "0" * 64})), "another version of"),
    "pins-no-hash": (edit_result(lambda r: r["columns"].update(k_vrh="x")), "not a result"),
    "unknown-metric": (
        edit_result(lambda r: r["scores"]["holdout"]["metrics"].update(luck=r["scores"]["holdout"]["metrics"]["rmse"])),
        "is not registered here",
    ),
    "metric-of-another-kind": (
        edit_result(
            lambda r: r["scores"]["holdout"]["metrics"].update(roc_auc=r["scores"]["holdout"]["metrics"]["r2"])
        ),
        "does not apply",
    ),
    "main-metric": (result(metric="mae"), "main metric"),
    "kind": (result(kind="classification"), "main metric"),
    "other-task": (result(task="ecd-fcc/band_gap"), "lies in the folder of"),
    "no-such-task": (result(task="ecd-fcc/luck"), "lies in the folder of"),
    "task-up": (result(task="../../../../etc/passwd"), "lies in the folder of"),
    "task-script": (result(task=SCRIPT), "lies in the folder of"),
    "source-elsewhere": (result(source="/etc"), "data from elsewhere"),
    "source-hub": (result(source=f"evil/data@{'a' * 40}/k_vrh"), "data from elsewhere"),
    "split-up": (result(split="../official"), "does not have the name"),
    "protocol": (result(protocol="mine"), "does not have the name"),
    "limit": (result(limit=3), "do not give"),
    "probes": (
        edit_result(lambda r: r.update(stages={"head": r["scores"]})),
        "do not give",
    ),
    "seeds-many": (result(seeds=list(range(9999))), "seed"),
    "seeds-none": (result(seeds=[]), "not a result"),
    "schema": (result(schema_version=99), "not a result"),
    "result-empty": (lambda e: (e / "fixed-official/result.json").write_text(""), "not a result"),
    "result-deep": (
        lambda e: (e / "fixed-official/result.json").write_text("[" * 100_000),
        "not a result",
    ),
    "result-large": (lambda e: (e / "fixed-official/result.json").write_bytes(b" " * (5 * 2**20)), "at most"),
    "predictions-nonsense": (lambda e: (e / "fixed-official/predictions.parquet").write_bytes(b"PAR1"), "parquet"),
    "predictions-pickle": (pickled("fixed-official/predictions.parquet"), "parquet"),
    "predictions-bomb": (table(bomb), "no task needs"),
    "predictions-column": (table(lambda t: t.append_column("target", t["prediction"])), "does not belong"),
    "predictions-types": (rows(lambda f: f.assign(prediction=f["prediction"].astype(str))), "other types"),
    "predictions-gone": (lambda e: (e / "fixed-official/predictions.parquet").unlink(), "has no predictions"),
    "predictions-linked": (linked, "does not belong"),
    "entry-linked": (folder_linked, "is not a folder"),
    "entry-zipped": (zipped, "is not a folder"),
    "entry-empty": (lambda e: [f.unlink() for f in e.rglob("*") if f.is_file()], "has no"),
    "extra-file": (named("run.py"), "does not belong"),
    "extra-pickle": (pickled("fixed-official/model.pkl"), "does not belong"),
    "hidden-file": (named(".hidden"), "does not belong"),
    "curves": (
        lambda e: (e / "fixed-official/curves.json").write_text('{"curves": [{"stage": 1}]}'),
        "learning curves",
    ),
    "card-gone": (lambda e: (e / "card.yaml").unlink(), "There is no file"),
    "card-large": (raw_card(b"#" * 10 * 2**20), "at most"),
    "card-laughs": (raw_card(BILLION_LAUGHS), "anchors and aliases"),
    "card-executes": (raw_card(EXECUTES), "tag"),
    "card-tag": (raw_card(b"name: !!binary aGk=\n"), "tag"),
    "card-deep": (raw_card(b"a: " + b"[" * 5000), "nested too deeply"),
    "card-binary": (raw_card(b"\xff\xfe\x00"), "UTF-8"),
    "card-list": (raw_card(b"- 1\n- 2\n"), "not a YAML mapping"),
    "card-two": (raw_card(b"name: a\n---\nname: b\n"), "another document"),
    "card-twice": (card(lambda t: t + "version: '2'\n"), "is repeated"),
    "card-field": (line("colour", "red"), "colour"),
    "card-name-script": (line("name", json.dumps(SCRIPT)), "name"),
    "card-name-up": (line("name", "../../elsewhere"), "name"),
    "card-name-cyrillic": (line("name", '"knn-c\u043emposition"'), "name"),
    "card-name-invisible": (line("name", '"knn\u200b"'), "name"),
    "card-name-of-another": (line("name", "honest"), "does not have the name that its card gives it"),
    "card-author-turned": (line("authors", '[{name: "A\u202eB"}]'), "invisible"),
    "card-orcid": (line("authors", "[{name: A, orcid: 0000-0002-1825-0098}]"), "ORCID"),
    "card-link": (line("link", "javascript:alert(1)"), "link"),
    "card-link-quote": (line("link", "'https://example.org/\"onmouseover=alert(1) x'"), "link"),
    "card-cost": (line("cost", ".inf"), "cost"),
    "card-inputs": (line("inputs", "[image]"), "inputs"),
    "card-template": (line("authors", "[{name: Your Name}]"), "still holds"),
    "card-seeds": (line("seeds", "5"), "seeds"),
    "card-notes": (line("notes", "x" * 5000), "notes"),
}
FLAGGED = {
    "targets-nearly": (
        rows(
            lambda f: f.assign(prediction=copied(f, 1)["prediction"] * (1 + 1e-6 * np.arange(len(f)) / len(f))),
            claim_again=True,
        ),
        "next to equal",
    ),
    "targets-noisy": (rows(lambda f: noisy(f, "holdout", 0.03), claim_again=True), "targets with noise"),
    "holdout-learnt": (rows(lambda f: noisy(f, "holdout", 0.12), claim_again=True), "learnt from the holdout"),
    "sign": (rows(lambda f: f.assign(prediction=-f["prediction"]), claim_again=True), "the sign"),
    "logarithm": (rows(lambda f: f.assign(prediction=np.log10(f["prediction"])), claim_again=True), "logarithms"),
    "unit-calories": (rows(lambda f: f.assign(prediction=f["prediction"] / 4.184), claim_again=True), "times 4.184"),
    "unit-thousand": (
        rows(lambda f: f.assign(prediction=f["prediction"] * 1000), claim_again=True),
        "times 0.001",
    ),
    "unit-ev": (rows(lambda f: f.assign(prediction=f["prediction"] / 160.2177), claim_again=True), "times 160.218"),
    "targets": (rows(lambda f: copied(f, 1), claim_again=True), "equal to their targets"),
    "some-targets": (rows(lambda f: copied(f, 0.25), claim_again=True), "equal to their targets"),
    "far-out": (rows(lambda f: one(f, "prediction", 1e9), claim_again=True), "far outside"),
}
# Text that is allowed, and must be shown as the text that it is.
ALLOWED = {
    "script-in-notes": line("notes", json.dumps(SCRIPT)),
    "script-in-author": line("authors", json.dumps([{"name": SCRIPT}])),
    "script-in-hardware": line("hardware", json.dumps(SCRIPT)),
    "script-in-model": edit_result(lambda r: r["model"].update(name=SCRIPT, spec=SCRIPT, parameters={SCRIPT: SCRIPT})),
    "script-in-info": edit_result(lambda r: r["model"].update(info={SCRIPT: SCRIPT, "weights": SCRIPT})),
    "script-in-part-notes": edit_result(lambda r: r["fits"][0].update(notes=[SCRIPT, "</script>" + SCRIPT])),
}


def spoil_all(root: Path, honest: Path) -> dict[str, Path]:
    """Copies of an honest entry, each spoiled in one way, beside each other."""
    import shutil

    made = {}
    for name, spoil in {**{n: s for n, (s, _) in (REFUSED | FLAGGED).items()}, **ALLOWED}.items():
        entry = root / honest.parent.name / name
        shutil.copytree(honest, entry)
        line("name", name)(entry)
        spoil(entry)
        made[name] = entry
    assert not any(os.path.lexists(root / CANARY) for _ in made)
    return made
