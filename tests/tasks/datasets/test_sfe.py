import shutil
from collections import Counter

import numpy as np
import pytest
from ecdbench import load_task
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.datasets import sfe
from ecdbench.tasks.datasets.sfe_alloys import read_alloys
from sklearn.model_selection import train_test_split


@pytest.fixture
def copy(sfe_dir, tmp_path):
    """A copy of the files that a test may damage."""
    return shutil.copytree(sfe.FILES.folder_in(sfe_dir), tmp_path / "data" / "sfe", copy_function=shutil.copyfile)


def test_the_authors_split_is_theirs(sfe_dir):
    data = load_task("sfe", split="authors", data_dir=sfe_dir)
    numbers = np.arange(1, 138)
    train, rest = train_test_split(numbers, test_size=0.2, random_state=54, shuffle=True)
    validation, holdout = train_test_split(rest, test_size=0.5, random_state=54, shuffle=True)
    for split, expected in (("train", train), ("validation", validation), ("holdout", holdout)):
        assert data.splits[split] == [sfe.image_id(n) for n in sorted(expected)]


@pytest.mark.parametrize(
    ("split", "sizes"), [("official", (95, 21, 21)), ("authors", (109, 14, 14)), ("grouped", (97, 21, 19))]
)
def test_splits(sfe_dir, split, sizes):
    data = load_task("sfe", split=split, data_dir=sfe_dir)
    assert tuple(len(ids) for ids in data.splits.values()) == sizes
    assert len(set(data.ids)) == 137
    assert set(data.folds.values()) == set(range(10))


def test_groups_are_never_divided(sfe_dir):
    data = load_task("sfe", split="grouped", data_dir=sfe_dir)
    assert Counter(Counter(data.groups.values()).values()) == {3: 28, 2: 22, 1: 9}
    split_of = {m: split for split, ids in data.splits.items() for m in ids}
    for assignment in (split_of, data.folds):
        for group in set(data.groups.values()):
            assert len({assignment[m] for m in data.groups if data.groups[m] == group}) == 1


def test_images_and_targets_are_paired_by_row(sfe_dir):
    data = load_task("sfe", data_dir=sfe_dir)
    assert data.targets(["sfe-001", "sfe-008", "sfe-137"]) == pytest.approx([110.789, 136.799, 108.272], abs=1e-3)
    row = data.table(["sfe-085"])[0]
    assert row["image"].size == (392, 146)
    assert row["formula"] == "Ni46CoY"


@pytest.mark.parametrize(
    ("number", "formula", "group", "configuration", "inferred"),
    [
        (1, "Ni47Sc", "Sc", "single", True),
        (8, "Ni48", "Ni", "single", True),
        (11, "Ni47Y", "Y", "single", True),
        (28, "Ni47Hg", "Hg", "single", True),
        (29, "Ni46Sc2", "Sc", "near", True),
        (77, "Ni46Ta2", "Ta", "far", True),
        (113, "Ni46ScZn", "Sc-Zn", "far", False),
        (128, "Ni45FeCrW", "Cr-Fe-W", "1st", False),
        (137, "Ni45FeCrCo", "Co-Cr-Fe", "4th", False),
    ],
)
def test_alloys(sfe_dir, number, formula, group, configuration, inferred):
    names = ("formula", "group", "configuration", "dopants_inferred")
    columns = sfe.StackingFaults().open(sfe_dir).read(names)
    assert [columns[name][sfe.image_id(number)] for name in names] == [formula, group, configuration, inferred]


@pytest.mark.parametrize("names", [["Ni-6d_single"], ["Cu-3d_single"], ["Ni-3d_single"] * 11, [""]])
def test_unknown_alloy_names_are_refused(names):
    with pytest.raises(DataError, match="use the pinned"):
        read_alloys(names)


def test_absent_files(tmp_path):
    with pytest.raises(DataError, match=r"138 of 138 files absent.*ecdbench fetch sfe"):
        load_task("sfe", data_dir=tmp_path)
    assert sfe.StackingFaults().presence(tmp_path) == "downloadable"


@pytest.mark.parametrize("name", ["images/CHGCAR-7.png", "SFE_information.xlsx"])
def test_changed_files_are_refused(copy, name):
    (copy / name).write_bytes((copy / name).read_bytes() + b" ")
    with pytest.raises(DataError, match=rf"{name} differs from the pinned file"):
        load_task("sfe", data_dir=copy.parent)


def test_the_folder_itself_may_be_given(copy):
    assert len(load_task("sfe", data_dir=copy).ids) == 137


def test_the_manifest_can_be_made_again(sfe_dir):
    from ecdbench.tasks.builder.source_manifests import sfe_manifest

    assert sfe_manifest(sfe.FILES.folder_in(sfe_dir)) == sfe.FILES.manifest
