import csv
import functools
import http.server
import shutil
import threading

import numpy as np
import pytest
from ecdbench import evaluate, load_task
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.datasets.mp_fcc_authors import ALL_CRYSTALS, FILES, WITH_IMAGES, WITH_IMAGES_DATASET


@pytest.fixture(scope="module")
def data_dir(sfe_dir):
    if FILES.presence(sfe_dir) != "present":
        pytest.skip("the authors' files are not here; `ecdbench fetch mp-fcc-authors` and ECDBENCH_DATA bring them")
    return sfe_dir


@pytest.fixture
def table(data_dir):
    """The authors' own table of the 592 crystals."""
    with (FILES.folder_in(data_dir) / "filtered_FCC_properties.csv").open(newline="") as file:
        return {row[""]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("split", "sizes"), [("official", (434, 80, 78)), ("authors", (414, 89, 89)), ("grouped", (399, 88, 105))]
)
def test_splits(data_dir, split, sizes):
    data = load_task("mp-fcc-authors/band_gap", split=split, data_dir=data_dir)
    assert tuple(len(ids) for ids in data.splits.values()) == sizes


def test_the_authors_split_is_that_of_their_code(data_dir, table):
    from sklearn.model_selection import train_test_split

    train, rest = train_test_split(list(table), test_size=0.3, random_state=420)
    validation, holdout = train_test_split(rest, test_size=0.5, random_state=420)
    data = load_task("mp-fcc-authors/band_gap", split="authors", data_dir=data_dir)
    assert [sorted(ids) for ids in data.splits.values()] == [sorted(train), sorted(validation), sorted(holdout)]


def test_rows_are_paired(data_dir, table):
    data = load_task("mp-fcc-authors/k_vrh", text="key", data_dir=data_dir)
    row = data.table(["mp-1672"])[0]
    assert row["formula"] == "CaS" and row["text"].startswith("CaS. ") and row["image"].size == (186, 186)
    assert data.targets(["mp-1672"])[0] == float(table["mp-1672"]["k_vrh"])
    assert set(data.inputs) == {"image", "formula", "text"}


def test_unphysical_moduli_are_left_out_and_nothing_else(data_dir, table):
    kept = {
        name: set(load_task(f"mp-fcc-authors/{name}", data_dir=data_dir).ids)
        for name in ("k_vrh", "g_vrh", "homogeneous_poisson", "band_gap")
    }
    bulk = {one for one, row in table.items() if float(row["k_vrh"]) <= 0}
    shear = {one for one, row in table.items() if not 0 < float(row["g_reuss"]) <= float(row["g_voigt"]) * (1 + 1e-6)}
    assert (len(bulk), len(shear)) == (4, 47)
    assert set(table) - kept["k_vrh"] == bulk
    assert set(table) - kept["g_vrh"] == shear
    assert set(table) - kept["homogeneous_poisson"] == bulk | shear
    assert kept["band_gap"] == set(table)


def test_all_crystals_have_texts_and_no_image(data_dir):
    data = load_task("mp-fcc-authors-text/k_vrh", text="all", data_dir=data_dir)
    assert len(data.ids) == 781 - 4
    assert set(data.inputs) == {"formula", "text"}
    assert "image" not in {column.kind for column in ALL_CRYSTALS.columns}


def test_composition_alone_reaches_what_was_measured_on_it(data_dir):
    data = load_task("mp-fcc-authors/k_vrh", split="authors", data_dir=data_dir)
    r2 = {
        model: evaluate(model, data).result.scores["holdout"].metrics["r2"].value
        for model in ("composition-forest", "pixel-ridge")
    }
    assert r2["composition-forest"] == pytest.approx(0.95, abs=0.01)
    assert r2["pixel-ridge"] == pytest.approx(0.1, abs=0.03)


def test_metals_have_no_gap(data_dir, table):
    data = load_task("mp-fcc-authors/is_metal", data_dir=data_dir)
    gaps = np.array([float(table[one]["band_gap"]) for one in data.ids])
    assert np.array_equal(data.targets(data.ids) == 1, gaps == 0)
    assert (gaps > 0).sum() == 124


def test_a_missing_and_a_foreign_picture(data_dir, tmp_path):
    folder = shutil.copytree(FILES.folder_in(data_dir), tmp_path / "mp-fcc-authors", copy_function=shutil.copyfile)
    picture = folder / "images" / "normalized_data_mp-1000.png"
    picture.write_bytes((folder / "images" / "normalized_data_mp-101.png").read_bytes())
    with pytest.raises(DataError, match=r"mp-1000.png differs from the pinned file; delete it"):
        load_task("mp-fcc-authors/k_vrh", data_dir=tmp_path)
    picture.unlink()
    with pytest.raises(DataError, match=r"1 of 596 files absent.*ecdbench fetch mp-fcc-authors"):
        load_task("mp-fcc-authors/k_vrh", data_dir=tmp_path)


def test_download_from_a_mirror_and_a_repository_that_is_gone(data_dir, tmp_path):
    """Served as upstream lays the files out; only a few are missing here, so that the test is quick."""
    here, there = tmp_path / "data" / "mp-fcc-authors", tmp_path / "upstream"
    shutil.copytree(FILES.folder_in(data_dir), here, copy_function=shutil.copyfile)
    missing = ["filtered_FCC_properties.csv", "FCC_descriptions.csv", "images/normalized_data_mp-1000.png"]
    for name in missing:
        (there / FILES.upstream(name)).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(here / name, there / FILES.upstream(name))
    assert (there / "Newdata_normalized_zscore_interval" / "normalized_data_mp-1000.png").exists()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(there))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with pytest.raises(DataError, match=r"no longer serves .*\(status 404\).*moved or taken down"):
            FILES.fetch(tmp_path / "data", lambda done, total: None, address + "gone/")
        FILES.fetch(tmp_path / "data", lambda done, total: None, address)
        server.shutdown()
    assert WITH_IMAGES_DATASET.presence(tmp_path / "data") == "present"
    assert WITH_IMAGES.license.startswith("not stated")
