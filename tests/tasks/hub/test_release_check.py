"""A dataset that reveals its targets, or is not what it states, is not published."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ecdbench.benchmark.columns import column_sha256
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.task import SPLITS
from ecdbench.tasks.builder.views_folder import write_views_folder
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.arrow import table_rows
from ecdbench.tasks.datasets.folder import DatasetFolder
from ecdbench.tasks.hub.release_check import check_dataset, find_leaks


@pytest.fixture(scope="module")
def published(few_crystals, tmp_path_factory):
    """The dataset as it is published: with pictures and planes as columns."""
    out = tmp_path_factory.mktemp("published") / "ecd-fcc"
    write_views_folder(DatasetFolder(few_crystals, ""), out)
    return out


@pytest.fixture
def folder(published, tmp_path):
    return shutil.copytree(published, tmp_path / "copy")


def rewrite(folder, split, change):
    """Change a split's table and make the manifest agree with it, as a careless builder would."""
    path = folder / f"{split}.parquet"
    table = change(pq.read_table(path))
    pq.write_table(table, path)
    manifest = json.loads((folder / "manifest.json").read_text())
    columns = DatasetFolder(folder, "").columns
    rows = {one: table_rows(pq.read_table(folder / f"{one}.parquet"), columns) for one in SPLITS}
    manifest["ids"][split] = [row["id"] for row in rows[split]]
    for name in table.column_names:
        cells = {row["id"]: row[name] for one in SPLITS for row in rows[one] if name in row}
        manifest["column_sha256"][name] = column_sha256(cells)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def replaced(table, name, first):
    """The table with the first value of a column replaced."""
    field = table.field(name)
    values = [first, *table.column(name).to_pylist()[1:]]
    return table.set_column(table.column_names.index(name), field, pa.array(values, field.type))


def test_the_packaged_dataset_is_fit_for_release(tmp_path):
    write_views_folder(DatasetFolder(ecd_fcc.PACKAGED, ""), tmp_path / "all")
    assert check_dataset(tmp_path / "all", permitted=False).id == "ecd-fcc"


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("Bonds are 2.35 A long.", None),
        ("Its bulk modulus was measured.", None),
        ("Its k_vrh is known.", "mentions k_vrh"),
        ("It resists 117.3 of something.", "holds the value of k_vrh (117.3)"),
        ("It resists 117.32 of something.", "holds the value of k_vrh (117.32)"),
        ("It resists 117.4 of something.", None),
        ("Its stiffness is 117 GPa.", "mentions k_vrh ('GPa')"),
        ("A band gap of nothing.", "mentions band_gap"),
    ],
)
def test_leaks(text, leak):
    row = {"id": "a", "text_all": text, "k_vrh": 117.321, "band_gap": 0.0, "formation_energy_per_atom": None}
    found = list(find_leaks(row, ecd_fcc.FACTS))
    assert (leak is None and not found) or leak in found[0]


def _picture_with_words(table):
    import io

    from PIL import Image, PngImagePlugin

    struct = table.column("image_total").to_pylist()[0]
    words = PngImagePlugin.PngInfo()
    words.add_text("k_vrh", "117")
    buffer = io.BytesIO()
    Image.open(io.BytesIO(struct["bytes"])).save(buffer, format="PNG", pnginfo=words)
    return replaced(table, "image_total", {"bytes": buffer.getvalue(), "path": None})


def _named_picture(table):
    struct = table.column("image_total").to_pylist()[0]
    return replaced(table, "image_total", {**struct, "path": "gap_1.1.png"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: replaced(t, "text_all", "It has 346.32 GPa."), "text_all mentions k_vrh"),
        (_picture_with_words, "image_total mentions k_vrh"),
        (_named_picture, "has file names of pictures, such as gap_1.1.png"),
        (lambda t: replaced(t, "split_official", "train"), "is in holdout.parquet, but its split_official is train"),
        (lambda t: replaced(t, "id", "mp-10182"), "mp-10182 is in train and in holdout"),
        (lambda t: t.drop_columns(["k_vrh"]), "has no column k_vrh"),
        (lambda t: t.replace_schema_metadata({"note": "x"}), "has unknown metadata (note)"),
    ],
)
def test_unfit_tables_are_refused(folder, change, sentence):
    for split in SPLITS if "no column" in sentence else ("holdout",):
        rewrite(folder, split, change)
    with pytest.raises(DataError) as refusal:
        check_dataset(folder, permitted=False)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("README.md", "license: cc-by-4.0\n", "", "the card's header has no license"),
        ("README.md", "---\n", "", "not a dataset card with a YAML header"),
        ("README.md", "split: holdout", "split: test", "does not name the three splits"),
        ("croissant.json", '"sha256": "', '"sha256": "0', "describes another train.parquet"),
        (
            "manifest.json",
            '"facts": {',
            '"values": {"mp-101": 346.3}, "facts": {',
            "a value per row at top.values",
        ),
        ("manifest.json", '"license": "CC-BY-4.0"', '"license": "not stated"', "its license is 'not stated'"),
        ("manifest.json", '"title"', '"tittle"', "does not describe the dataset (facts.title"),
    ],
)
def test_unfit_accompanying_files_are_refused(folder, file, old, new, sentence):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(DataError) as refusal:
        check_dataset(folder, permitted=False)
    assert sentence in str(refusal.value)
