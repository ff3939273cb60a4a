"""Hostile datasets: each a function that spoils an honest folder, and what the refusal must say.

Whoever makes one also writes a manifest that agrees with it, where that is possible at all (`rows` does).
"""

import contextlib
import io
import json
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ecdbench.benchmark.columns import Column, column_sha256
from ecdbench.benchmark.task import SPLITS, Target
from ecdbench.tasks.builder.table_folder import write_table_folder
from ecdbench.tasks.datasets import DatasetFacts
from ecdbench.tasks.datasets.arrow import row_schema, table_rows
from ecdbench.tasks.datasets.table import TableDataset, describe_table
from ecdbench.tasks.splits import hashed_fold
from PIL import Image

SIDE, ROWS = 16, 60
CANARY = "canary-was-executed"
HARDNESS = Target("hardness", "GPa", "hardness")
FACTS = DatasetFacts(
    id="gems",
    title="gems (synthetic)",
    columns=(
        Column("id", "string", "id"),
        Column("formula", "string", "input"),
        Column("image_total", "image", "input", (SIDE, SIDE)),
        Column("density_total", "array", "input", (4, 4), "e/A^3"),
        Column("text_key", "string", "input"),
        HARDNESS.column(),
        Column("colour", "string"),
        Column("system", "string", "group"),
        *(Column(f"split_{scheme}", "string", "split") for scheme in ("official", "grouped")),
        *(Column(f"fold_{scheme}", "integer", "fold") for scheme in ("official", "grouped")),
    ),
    targets=(HARDNESS,),
    group="the gem itself",
    provenance="synthetic",
    license="CC0-1.0",
    citation="none",
)


def picture(seed: int, width: int = SIDE, height: int = SIDE, kind: str = "PNG", **how) -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **how)
    return file.getvalue()


def write_honest(out: Path) -> Path:
    """The folder that all cases start from."""
    splits = ["train"] * 40 + ["validation"] * 10 + ["holdout"] * 10
    rows = [
        {
            "id": f"gem-{number:02}",
            "formula": f"K{number + 1}S",
            "image_total": picture(number),
            "density_total": np.full((4, 4), number, dtype=np.float32),
            "text_key": f"Gem number {number}.",
            "hardness": float(number % 7),
            "colour": "red",
            "system": f"gem-{number:02}",
            **dict.fromkeys(("split_official", "split_grouped"), split),
            **dict.fromkeys(("fold_official", "fold_grouped"), hashed_fold(str(number))),
        }
        for number, split in enumerate(splits)
    ]
    dataset = TableDataset(FACTS.columns, lambda name: {row["id"]: row[name] for row in rows})
    write_table_folder(FACTS, describe_table(FACTS, dataset)["targets"], dataset, out)
    return out


def manifest(change):
    """Change the manifest, which is handed over as it was read."""

    def spoil(folder: Path):
        file = folder / "manifest.json"
        content = json.loads(file.read_text())
        file.write_text(json.dumps(change(content) or content))

    return spoil


def facts(**changes):
    return manifest(lambda m: m["facts"].update(changes) or m.update(dataset=m["facts"]["id"]))


def column(name: str, **changes):
    return manifest(lambda m: next(one for one in m["facts"]["columns"] if one["name"] == name).update(changes))


def renamed(name: str, new: str):
    """Call a column, and the target that it may hold, by another name, everywhere."""

    def spoil(folder: Path):
        text = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(text.replace(f'"{name}"', json.dumps(new)))
        for split in SPLITS:
            table = pq.read_table(folder / f"{split}.parquet")
            names = [new if one == name else one for one in table.column_names]
            pq.write_table(table.rename_columns(names), folder / f"{split}.parquet")

    return spoil


def table(change, split="holdout", **how):
    """Write another parquet file; the manifest stays as it is."""

    def spoil(folder: Path):
        file = folder / f"{split}.parquet"
        pq.write_table(change(pq.read_table(file)), file, **how)

    return spoil


def agree(folder: Path):
    """Make ids and hashes of the manifest those of the files."""
    content = json.loads((folder / "manifest.json").read_text())
    columns = {one.name: one for one in FACTS.columns}
    found = {split: table_rows(pq.read_table(folder / f"{split}.parquet"), columns) for split in SPLITS}
    content["ids"] = {split: [row["id"] for row in of_split] for split, of_split in found.items()}
    everything = [row for split in SPLITS for row in found[split]]
    for name in columns:
        content["column_sha256"][name] = column_sha256({row["id"]: row[name] for row in everything})
    (folder / "manifest.json").write_text(json.dumps(content))


def rows(change, split="holdout"):
    """Change the rows of a split, each as plain values, and the manifest with them."""

    def spoil(folder: Path):
        file = folder / f"{split}.parquet"
        changed = pq.read_table(file).to_pylist()
        changed = change(changed) or changed
        pq.write_table(pa.Table.from_pylist(changed, schema=row_schema(FACTS.columns)), file)
        with contextlib.suppress(ValueError):  # cells of another shape have no hash
            agree(folder)

    return spoil


def cell(name: str, value, split="holdout"):
    """Set one cell."""
    return rows(lambda found: found[3].update({name: value}), split)


def image(content: bytes):
    return cell("image_total", {"bytes": content, "path": None})


def typed(name: str, kind: pa.DataType, convert=lambda value: value):
    """Write a column as another type."""

    def change(found: pa.Table) -> pa.Table:
        values = pa.array([convert(value) for value in found[name].to_pylist()], kind)
        return found.set_column(found.column_names.index(name), name, values)

    return table(change)


def repeated(name: str, value, count: int, **how):
    """A column that holds a value many times and is small on the disk; other columns repeat their first cell."""

    def change(found: pa.Table) -> pa.Table:
        first = found.slice(0, 1)
        indices = pa.array(np.zeros(count, dtype=np.int8))
        columns = {one: pa.DictionaryArray.from_arrays(indices, first[one].combine_chunks()) for one in ("id", name)}
        columns[name] = pa.DictionaryArray.from_arrays(indices, pa.array([value], first[name].type))
        rest = first.take(pa.array(np.zeros(count, dtype=np.int8)))
        for one, values in columns.items():
            rest = rest.set_column(rest.column_names.index(one), one, values)
        return rest

    def spoil(folder: Path):
        table(change, compression="zstd", store_schema=False, dictionary_pagesize_limit=2**30, **how)(folder)
        assert (folder / "holdout.parquet").stat().st_size < 4 * 2**20

    return spoil


def large_array(folder: Path):
    """Three million zeros in each cell, which take a few bytes on the disk."""

    def change(found: pa.Table) -> pa.Table:
        zeros = pa.ListArray.from_arrays(np.arange(0, 3_000_001, 4, dtype=np.int32), np.zeros(3_000_000, np.float32))
        one = pa.ListArray.from_arrays(np.array([0, len(zeros)], dtype=np.int32), zeros)
        return found.slice(0, 1).set_column(found.column_names.index("density_total"), "density_total", one)

    column("density_total", shape=[None, 4])(folder)
    table(change)(folder)


def copied_rows(folder: Path):
    """Rows of the training set, under the names of those of the holdout."""
    own = pq.read_table(folder / "holdout.parquet").to_pylist()
    others = pq.read_table(folder / "train.parquet").to_pylist()
    kept = ("id", "system", "split_official", "split_grouped", "fold_official", "fold_grouped")
    changed = [{**other, **{name: row[name] for name in kept}} for row, other in zip(own, others[:10], strict=True)]
    rows(lambda _: changed)(folder)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in body)


def large_picture(folder: Path):
    """13,000 pixels a side; nothing on them, so that the file is small."""
    file = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(file, "PNG")
    image(file.getvalue())(folder)


# Whoever decodes it with Ghostscript runs what it says.
EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n"
    b"(%pipe%touch " + CANARY.encode() + b") (w) file closefile\nshowpage\n%%EOF\n"
)  # fmt: skip


def replaced(name: str, put):
    """Something else in the place of a file."""

    def spoil(folder: Path):
        (folder / name).rename(folder.parent / f"{folder.name}-{name}")
        put(folder / name, folder.parent / f"{folder.name}-{name}")

    return spoil


def unix_socket(path: Path, original: Path):
    here = Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(here)


def truncated(folder: Path):
    content = (folder / "holdout.parquet").read_bytes()
    (folder / "holdout.parquet").write_bytes(content[: len(content) // 2])


def large_footer(folder: Path):
    content = (folder / "holdout.parquet").read_bytes()
    (folder / "holdout.parquet").write_bytes(content[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")


def huge_file(name: str, size: int):
    """A file that is large and takes no room."""

    def spoil(folder: Path):
        with (folder / name).open("r+b") as file:
            file.truncate(size)

    return spoil


def extension(folder: Path):
    """A column of a type that the library `datasets` registers, so that it means one thing there and another here."""
    from datasets import Array2D, Features, Value

    kinds = {"string": "string", "integer": "int64", "number": "float64"}
    features = {c.name: Value(kinds[c.kind]) for c in FACTS.columns if c.kind in kinds}
    schema = Features({**features, "density_total": Array2D((4, 4), "float32")}).arrow_schema
    file = folder / "holdout.parquet"
    found = pq.read_table(file)
    kind = schema.field("density_total").type
    values = pa.ExtensionArray.from_storage(kind, found["density_total"].combine_chunks().cast(kind.storage_type))
    pq.write_table(found.set_column(found.column_names.index("density_total"), "density_total", values), file)


DEEP = "[" * 100_000 + "]" * 100_000
BOMB_TEXT = zlib.compress(b"x" * (8 * 2**20))

# name: (what is done, what the sentence must hold)
HOSTILE = {
    # files
    "manifest-pipe": (replaced("manifest.json", lambda path, _: os.mkfifo(path)), "There is no"),
    "split-pipe": (replaced("holdout.parquet", lambda path, _: os.mkfifo(path)), "is not a regular file"),
    "split-socket": (replaced("holdout.parquet", unix_socket), "is not a regular file"),
    "split-device": (replaced("holdout.parquet", lambda path, _: path.symlink_to("/dev/zero")), "link out of"),
    "split-folder": (replaced("holdout.parquet", lambda path, _: path.mkdir()), "is not a regular file"),
    "split-linked": (replaced("holdout.parquet", lambda path, moved: path.symlink_to(moved)), "link out of the folder"),
    "split-loop": (replaced("holdout.parquet", lambda path, _: path.symlink_to(path)), "cannot be read"),
    "split-gone": (replaced("holdout.parquet", lambda path, _: None), "cannot be read"),
    "manifest-linked": (
        replaced("manifest.json", lambda path, moved: path.symlink_to(moved)),
        "link out of the folder",
    ),
    "manifest-large": (huge_file("manifest.json", 2**30), "bytes; at most"),
    "split-large": (huge_file("holdout.parquet", 2**40), "bytes; at most"),
    # the manifest
    "manifest-deep": (lambda f: (f / "manifest.json").write_text(DEEP), "nested too deeply"),
    "manifest-deep-inside": (manifest(lambda m: m.update(note=json.loads("[" * 40 + "]" * 40))), "nested too deeply"),
    "manifest-empty": (lambda f: (f / "manifest.json").write_text(""), "no readable manifest"),
    "manifest-number": (lambda f: (f / "manifest.json").write_text("9" * 10_000), "no readable manifest"),
    "manifest-list": (lambda f: (f / "manifest.json").write_text("[]"), "no readable manifest"),
    "manifest-bytes": (lambda f: (f / "manifest.json").write_bytes(os.urandom(1000)), "no readable manifest"),
    "manifest-ids": (manifest(lambda m: m.update(ids=7)), "no readable manifest"),
    "manifest-statistics": (manifest(lambda m: m["targets"]["hardness"].update(min="low")), "states other statistics"),
    "manifest-no-statistics": (manifest(lambda m: m.update(targets={})), "no statistics of the target"),
    "id-null": (manifest(lambda m: m["ids"]["holdout"].append(None)), "states other ids"),
    "id-empty": (manifest(lambda m: m["ids"]["holdout"].append("")), "printable characters"),
    "id-long": (manifest(lambda m: m["ids"]["holdout"].append("x" * 10**6)), "printable characters"),
    "id-escape": (manifest(lambda m: m["ids"]["holdout"].append("\x1b[2J")), "printable characters"),
    "id-in-two-splits": (cell("id", "gem-00"), "gem-00 is in train and in holdout"),
    "id-twice": (manifest(lambda m: m["ids"]["holdout"].append("gem-59")), "gem-59 is in holdout and in holdout"),
    "rows-many": (manifest(lambda m: m["ids"].update(train=[str(n) for n in range(600_000)])), "at most 500,000"),
    "name-up": (facts(id=".."), "has the name '..'"),
    "name-path": (facts(id="../../etc"), "has the name"),
    "name-absolute": (facts(id="/tmp/x"), "has the name"),
    "name-control": (facts(id="a\x1b[2J"), "has the name"),
    "name-long": (facts(id="x" * 5000), "has the name"),
    "target-up": (renamed("hardness", "../up"), "has the name"),
    "scheme-up": (renamed("split_grouped", "split_../../up"), "has the name"),
    "title-control": (facts(title="\x1b]0;owned\x07"), "controls a terminal"),
    "license-long": (facts(license="x" * 10_000), "controls a terminal"),
    "columns-many": (
        manifest(lambda m: m["facts"].update(columns=m["facts"]["columns"] * 500)),
        "states other facts",
    ),
    "column-twice": (manifest(lambda m: m["facts"].update(columns=m["facts"]["columns"] * 2)), "twice"),
    "column-kind": (column("colour", kind="pickle"), "does not describe"),
    "column-shape": (column("density_total", shape=[10**12, -4]), "the shape"),
    "column-flat": (column("density_total", shape=[None, None]), "the shape"),
    "column-picture": (column("image_total", shape=[16]), "the shape"),
    "target-words": (column("hardness", kind="string"), "a target of kind string"),
    "fold-words": (column("fold_official", kind="string"), "a fold of kind string"),
    "metric": (manifest(lambda m: m["facts"]["targets"][0].update(metric="\x1b[2Jluck")), "no metric of"),
    # tables
    "split-nonsense": (lambda f: (f / "holdout.parquet").write_bytes(b"PAR1" * 1000), "cannot be read"),
    "split-truncated": (truncated, "cannot be read"),
    "split-large-footer": (large_footer, "cannot be read"),
    "split-pickle": (
        lambda f: (f / "holdout.parquet").write_bytes(b"cos\nsystem\n(S'touch " + CANARY.encode() + b"'\ntR."),
        "cannot be read",
    ),
    "run-length-bomb": (repeated("text_key", "x" * (4 * 2**20), 2_000), "memory"),
    "compressed-bomb": (repeated("text_key", "x" * (32 * 2**20), 80), "memory"),
    "row-group-bomb": (repeated("text_key", "x" * 2**17, 20_000), "row group of more than"),
    "unpacked-bomb": (repeated("text_key", "x" * 2**18, 2_500, row_group_size=500), "unpacks with the others"),
    "column-gone": (table(lambda t: t.drop_columns(["text_key"])), "has no column text_key"),
    "id-gone": (table(lambda t: t.drop_columns(["id"])), "has no column id"),
    "id-empty-cell": (table(lambda t: t.set_column(0, "id", pa.nulls(len(t), pa.string()))), "a row without an id"),
    "column-doubled": (table(lambda t: t.append_column("id", t["id"])), "cannot be read"),
    "target-text": (typed("hardness", pa.string(), str), "has string in hardness, which is not number"),
    "type-extension": (extension, "which is not array"),
    "type-large": (typed("density_total", pa.large_list(pa.large_list(pa.float32()))), "which is not array"),
    "type-flat": (typed("density_total", pa.list_(pa.float32()), np.ravel), "which is not array"),
    "type-image": (typed("image_total", pa.binary(), lambda value: value["bytes"]), "which is not image"),
    "text-encoding": (
        table(lambda t: t.set_column(4, "text_key", pa.array([b"\xff"] * len(t)).cast(pa.string(), safe=False))),
        "cannot be read",
    ),
    # rows
    "target-nan": (cell("hardness", float("nan")), "its target hardness is nan"),
    "target-inf": (cell("hardness", float("inf")), "its target hardness is inf"),
    "target-huge": (cell("hardness", 1e308), "its target hardness is 1e+308"),
    "split-unknown": (cell("split_official", "exam"), "its split_official is exam"),
    "split-unknown-grouped": (cell("split_grouped", "exam"), "is in the split 'exam'"),
    "split-empty": (cell("split_grouped", None), "has no split_grouped"),
    "split-other": (cell("split_official", "train"), "its split_official is train"),
    "rows-in-two-splits": (copied_rows, "has the inputs and targets of gem-00"),
    "input-empty": (cell("text_key", None), "empty cells in text_key"),
    "array-empty": (cell("density_total", None), "empty cells in density_total"),
    "array-ragged": (cell("density_total", [[1] * 5, [1] * 3, [1] * 4, [1] * 4]), "cannot be read"),
    "array-large": (large_array, "3,000,000 numbers, more than 2,097,152"),
    "array-gap": (cell("density_total", [[None] * 4] * 4), "cannot be read"),
    "text-long": (cell("text_key", "x" * 10**6), "characters, more than"),
    "property-long": (cell("colour", "x" * 10**5), "characters, more than"),
    "formula-long": (cell("formula", "(" * 10**6), "characters, more than"),
    "formula-nested": (cell("formula", "(" * 200_000 + "K" + ")2" * 20_000), "is not a chemical formula"),
    "formula-number": (cell("formula", "K" + "9" * 400), "is not a chemical formula"),
    "formula-zero": (cell("formula", "K0S0"), "is not a chemical formula"),
    "formula-words": (cell("formula", "\x1b[2Jsalt"), "is not a chemical formula"),
    # pictures
    "picture-eps": (image(EPS), "no PNG or JPEG"),
    "picture-gif": (image(picture(1, kind="GIF")), "no PNG or JPEG"),
    "picture-tiff": (image(picture(1, kind="TIFF")), "no PNG or JPEG"),
    "picture-svg": (image(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "no PNG or JPEG"),
    "picture-pickle": (image(b"cos\nsystem\n(S'touch " + CANARY.encode() + b"'\ntR."), "no PNG or JPEG"),
    "picture-none": (image(b""), "no PNG or JPEG"),
    "picture-path": (cell("image_total", {"bytes": None, "path": "/etc/passwd"}), "its image_total is empty"),
    "picture-large": (large_picture, "13,000 x 13,000 pixels"),
    "picture-large-header": (image(png(2**31 - 1, 2**31 - 1)), "no PNG or JPEG"),
    "picture-other-size": (image(picture(1, 8, 8)), "8 x 8 pixels, not 16 x 16"),
    "picture-truncated": (image(picture(1)[:300]), "cannot be decoded"),
    "picture-text-bomb": (image(png(16, 16, (b"zTXt", b"a\0\0" + BOMB_TEXT))), "no PNG or JPEG"),
    "picture-profile-bomb": (image(png(16, 16, (b"iCCP", b"a\0\0" + BOMB_TEXT))), "no PNG or JPEG"),
    "picture-jpeg-truncated": (image(picture(1, kind="JPEG")[:-60]), "image_total cannot be decoded"),
}


def inside_link(folder: Path):
    (folder / "data").mkdir()
    (folder / "holdout.parquet").rename(folder / "data" / "holdout")
    (folder / "holdout.parquet").symlink_to("data/holdout")


def hub_cache(folder: Path):
    """The folder as the Hub's cache has it: every file links to one in `blobs`."""
    cached = folder.parent / f"{folder.name}-hub"
    snapshot = cached / "snapshots" / ("0" * 40)
    (cached / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(cached / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    folder.rmdir()
    folder.symlink_to(snapshot)


# Odd, and none of our business.
HONEST = {
    "as-it-is": lambda folder: None,
    "another-picture-format": image(picture(1, kind="JPEG")),
    "whole-numbers": typed("fold_official", pa.int8()),
    "one-row-a-group": table(lambda t: t, row_group_size=1),
    "unknown-target": cell("hardness", None),
    "unknown-property": cell("colour", None),
    "strangers-beside": lambda folder: (folder / "dataset.py").write_text(f"open('{CANARY}', 'w')"),
    "link-inside": inside_link,
    "hub-cache": hub_cache,
}
