"""Compressed files: unpacked, or refused with a sentence."""

import pytest
from ecdbench.benchmark import unpacking
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.unpacking import PACKINGS, kind_of, open_unpacked, plain_name

from ..packing import PACK

TEXT = b"".join(b"%d,%d\n" % (number, number**3) for number in range(5000))


def content_of(path):
    with open_unpacked(path) as file:
        return file.read()


@pytest.mark.parametrize("packing", PACKINGS)
def test_content_and_lines(tmp_path, packing):
    path = tmp_path / f"x.csv{packing.upper()}"
    path.write_bytes(PACK[packing](TEXT))
    assert content_of(path) == TEXT
    with open_unpacked(path) as file:
        assert list(file) == TEXT.splitlines(keepends=True)
    path.write_bytes(PACK[packing](TEXT) + PACK[packing](b"more"))  # as parallel programs write it
    assert content_of(path) == TEXT + b"more"


def test_other_files_are_read_as_they_are(tmp_path):
    (tmp_path / "x.csv").write_bytes(TEXT)
    assert content_of(tmp_path / "x.csv") == TEXT
    with pytest.raises(FileNotFoundError):
        open_unpacked(tmp_path / "absent.gz")


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:-3],
        lambda packed: b"this is no compressed file",
    ],
)
def test_damaged_files_say_so(tmp_path, packing, damage):
    path = tmp_path / f"x{packing}"
    path.write_bytes(damage(PACK[packing](TEXT)))
    with pytest.raises(DataError, match=rf"x\{packing} is truncated or no \{packing} file; copy it again, or correct"):
        content_of(path)


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_would_fill_the_memory_is_refused_before_it_does(tmp_path, packing, monkeypatch):
    monkeypatch.setattr(unpacking, "_ANY_FILE", 2**20)
    path = tmp_path / f"x{packing}"
    path.write_bytes(PACK[packing](bytes(2**24)))
    read = 0
    with open_unpacked(path) as file, pytest.raises(DataError, match=r"unpacks to more than \d+ MiB, over 100 times"):
        while chunk := file.read(2**16):
            read += len(chunk)
    assert read <= max(2**20, 100 * path.stat().st_size)


@pytest.mark.parametrize(
    ("name", "plain", "kind"), [("P.CSV.gz", "P.CSV", ".csv"), ("a.b.xz", "a.b", ".b"), ("CHGCAR", "CHGCAR", "")]
)
def test_names(tmp_path, name, plain, kind):
    assert (plain_name(tmp_path / name), kind_of(tmp_path / name)) == (plain, kind)
