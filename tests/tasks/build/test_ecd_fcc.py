import csv
import json
import shutil

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks import ecd_fcc
from ecdbench.tasks.build.ecd_fcc import build
from ecdbench.tasks.build.plane import PlaneSettings
from ecdbench.tasks.build.render import RENDERING, RenderSettings, is_noise, render
from ecdbench.tasks.folder import DatasetFolder

FILES = ("train.parquet", "validation.parquet", "holdout.parquet", "manifest.json", "README.md", "croissant.json")


def silent(done, total): ...


@pytest.fixture
def small(raw_dir, tmp_path):
    """A raw folder of the first twelve crystals, which a test may damage, and the stored descriptions."""
    raw, out = tmp_path / "raw", tmp_path / "out"
    (raw / "densities").mkdir(parents=True)
    out.mkdir()
    shutil.copyfile(raw_dir / "structures.json.gz", raw / "structures.json.gz")
    shutil.copyfile(ecd_fcc.PACKAGED / "descriptions.json", out / "descriptions.json")
    with (raw_dir / "properties.csv").open() as file:
        header, *lines = file.readlines()
    (raw / "properties.csv").write_text(header + "".join(lines[:12]))
    for row in csv.DictReader([header, *lines[:12]]):
        name = f"{row['material_id']}.npz"
        shutil.copyfile(raw_dir / "densities" / name, raw / "densities" / name)
    return raw, out


def test_the_packaged_dataset_is_what_the_raw_folder_gives_byte_for_byte(raw_dir, tmp_path):
    shutil.copyfile(ecd_fcc.PACKAGED / "descriptions.json", tmp_path / "descriptions.json")
    build(raw_dir, tmp_path, PlaneSettings(), None, silent)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (ecd_fcc.PACKAGED / name).read_bytes(), name


def test_a_part_of_the_rows_keeps_splits_and_content(small):
    raw, out = small
    build(raw, out, PlaneSettings(), None, silent)
    part, whole = (DatasetFolder(folder, "") for folder in (out, ecd_fcc.PACKAGED))
    for scheme in ("official", "grouped"):
        assert part.split_of(scheme).items() <= whole.split_of(scheme).items()
        assert part.fold_of(scheme).items() <= whole.fold_of(scheme).items()
    one, two = part.rows("total", "key"), whole.rows("total", "key")
    assert len(one) == 12
    for material, row in one.items():
        assert row["image"] == two[material]["image"]
        assert np.array_equal(row["density"], two[material]["density"])


def test_settings_are_in_the_manifest_and_change_the_slices(small):
    raw, out = small
    build(raw, out, PlaneSettings(size=20, offset=0.5), 60, silent)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["plane"]["offset"] == 0.5
    assert manifest["regrid"] == 60
    assert next(iter(DatasetFolder(out, "").rows("total", "none").values()))["density"].shape == (20, 20)


def test_an_incomplete_raw_folder_is_refused(small):
    raw, out = small
    (raw / "properties.csv").rename(raw / "other.csv")
    with pytest.raises(DataError, match=r"holds no properties.csv"):
        build(raw, out, PlaneSettings(), None, silent)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("nsites,k_vrh,", "nsites,bulk,", "lacks the columns k_vrh"),
        ("mp-10182,LiZnP", "../mp-10182,LiZnP", "ids are letters, digits and hyphens"),
        ("mp-10182,LiZnP", "mp-101,LiZnP", "more than once"),
        ("mp-101,Ir,225,1,346", "mp-101,Ir,225,1,big", "not a number"),
        ("mp-101,Ir", "mp-101,ir", "not a chemical formula"),
    ],
)
def test_a_damaged_property_table_is_refused(small, old, new, sentence):
    raw, out = small
    table = (raw / "properties.csv").read_text()
    assert old in table
    (raw / "properties.csv").write_text(table.replace(old, new))
    with pytest.raises(DataError, match=sentence):
        build(raw, out, PlaneSettings(), None, silent)


def test_truncated_structures_are_refused(small):
    raw, out = small
    content = (raw / "structures.json.gz").read_bytes()
    (raw / "structures.json.gz").write_bytes(content[:5000])
    with pytest.raises(DataError, match="is truncated"):
        build(raw, out, PlaneSettings(), None, silent)


def test_a_density_that_lost_electrons_is_refused(small):
    raw, out = small
    path = sorted((raw / "densities").iterdir())[0]
    with np.load(path) as file:
        content = dict(file)
    content["total"] = content["total"] * 0.99
    np.savez(path, **content)
    with pytest.raises(DataError, match=rf"density of {path.stem} integrates to .* electrons, not"):
        build(raw, out, PlaneSettings(), None, silent)
    assert not list(out.glob("*.parquet"))


def test_noise_is_flagged_and_never_stretched():
    noise = np.random.default_rng(0).normal(0, 1e-5, (8, 8))
    assert is_noise(noise)
    colours = np.unique(render(noise, RENDERING["spin"]).reshape(-1, 3), axis=0)
    assert np.ptp(colours, axis=0).max() <= 1  # the two shades in the middle of the map
    assert not is_noise(noise + np.eye(8))


def test_colours_are_those_of_the_map():
    from matplotlib import colormaps

    pixels = render(np.array([[-5.0, 0.0], [0.5, 9.0]]), RenderSettings("viridis", (0.0, 1.0)))
    expected = [colormaps["viridis"](x)[:3] for x in (0.0, 0.0, 128 / 255, 1.0)]
    assert np.abs(pixels.reshape(-1, 3) / 255 - expected).max() < 1 / 255
