from pathlib import Path

import pytest
from ecdbench.benchmark.source import source_sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layers").mkdir()
    (tmp_path / "model.py").write_text("def fit():\n    import helper\n    from layers.deep import net\n")
    (tmp_path / "helper.py").write_text("import numpy\nfrom . import other\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    (tmp_path / "layers" / "__init__.py").write_text("")
    (tmp_path / "layers" / "deep.py").write_text("net = 1\n")
    (tmp_path / "unrelated.py").write_text("y = 1\n")
    return tmp_path


@pytest.mark.parametrize("name", ["model.py", "helper.py", "other.py", "layers/deep.py"])
def test_what_a_model_imports_from_its_folder_is_part_of_it(folder, name):
    before = source_sha256(folder / "model.py")
    (folder / name).write_text((folder / name).read_text() + "# changed\n")
    assert source_sha256(folder / "model.py") != before


def test_other_files_are_not(folder):
    before = source_sha256(folder / "model.py")
    (folder / "unrelated.py").write_text("y = 2\n")
    assert source_sha256(folder / "model.py") == before


def test_an_installed_module_is_not_hashed_with_its_neighbours(tmp_path):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "model.py").write_text("import neighbour\n")
    (folder / "neighbour.py").write_text("x = 1\n")
    before = source_sha256(folder / "model.py")
    (folder / "neighbour.py").write_text("x = 2\n")
    assert source_sha256(folder / "model.py") == before
