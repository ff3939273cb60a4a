import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks import ecd_fcc
from ecdbench.tasks.build.build import Workforce, build_dataset
from ecdbench.tasks.build.ecd_fcc import plan, store_texts
from ecdbench.tasks.build.plane import PlaneSettings
from ecdbench.tasks.build.render import RENDERING, RenderSettings, is_noise, render
from ecdbench.tasks.folder import DatasetFolder

FILES = sorted(path.name for path in ecd_fcc.PACKAGED.iterdir())


def build(raw, out, plane=None, regrid=None, workers=1):
    """Build `ecd-fcc`, and keep its texts."""
    planned = plan(raw, out, plane or PlaneSettings(), regrid)
    report = build_dataset(planned, out, out.parent / "cache", Workforce(workers))
    store_texts(raw, out)
    return report


@pytest.fixture
def small(raw_dir, tmp_path):
    """A raw folder of the first twelve crystals, which a test may damage, and the stored descriptions."""
    raw, out = tmp_path / "raw", tmp_path / "out"
    (raw / "densities").mkdir(parents=True)
    out.mkdir()
    shutil.copyfile(ecd_fcc.PACKAGED / "descriptions.json", out / "descriptions.json")
    with (raw_dir / "properties.csv").open() as file:
        header, *lines = file.readlines()
    (raw / "properties.csv").write_text(header + "".join(lines[:12]))
    for row in csv.DictReader([header, *lines[:12]]):
        name = f"{row['material_id']}.npz"
        shutil.copyfile(raw_dir / "densities" / name, raw / "densities" / name)
    return raw, out


def test_the_packaged_dataset_is_what_the_raw_folder_gives_byte_for_byte(raw_dir, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copyfile(ecd_fcc.PACKAGED / "descriptions.json", out / "descriptions.json")
    build(raw_dir, out, workers=2)
    for name in FILES:
        assert (out / name).read_bytes() == (ecd_fcc.PACKAGED / name).read_bytes(), name


def test_a_part_of_the_rows_keeps_splits_and_content(small):
    raw, out = small
    build(raw, out)
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
    build(raw, out, PlaneSettings(size=20, offset=0.5), 60)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["plane"]["offset"] == 0.5
    assert manifest["regrid"] == 60
    assert next(iter(DatasetFolder(out, "").rows("total", "none").values()))["density"].shape == (20, 20)


def test_an_incomplete_raw_folder_is_refused(small):
    raw, out = small
    (raw / "properties.csv").rename(raw / "other.csv")
    with pytest.raises(DataError, match=r"holds no properties.csv"):
        build(raw, out)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("nsites,k_vrh,", "nsites,bulk,", "lacks the columns k_vrh"),
        ("mp-10182,LiZnP", "../mp-10182,LiZnP", "ids are letters, digits and hyphens"),
        ("mp-10182,LiZnP", "mp-101,LiZnP", "more than once"),
        ("mp-101,Ir,225,1,346", "mp-101,Ir,225,1,big", "not a number"),
    ],
)
def test_a_damaged_property_table_is_refused(small, old, new, sentence):
    raw, out = small
    table = (raw / "properties.csv").read_text()
    assert old in table
    (raw / "properties.csv").write_text(table.replace(old, new))
    with pytest.raises(DataError, match=sentence):
        build(raw, out)


def test_a_density_that_lost_electrons_is_recorded_and_the_others_are_built(small):
    raw, out = small
    path = sorted((raw / "densities").iterdir())[0]
    with np.load(path) as file:
        content = dict(file)
    content["total"] = content["total"] * 0.99
    np.savez(path, **content)
    report = build(raw, out)
    assert (report.rows, dict(report.failures), report.later) == (11, {"broken density": 1}, 0)
    (failure,) = csv.DictReader((out / "failures.csv").open())
    assert failure["id"] == path.stem
    assert re.search(r"integrates to .* electrons, not", failure["reason"])
    assert path.stem not in DatasetFolder(out, "").split_of("official")


def test_a_full_disk_stops_the_build_and_room_continues_it(small):
    """The shell's limit on the size of files stands for the disk: no file may be larger than 8 kB."""
    raw, out = small
    command = [sys.executable, "-m", "ecdbench", "build", "ecd-fcc", "--source", str(raw), "--out", str(out)]
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 8; exec "$@"', "-", *command]
    outcome = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "Error: File too large" in outcome.stderr
    assert "Make room" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


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
