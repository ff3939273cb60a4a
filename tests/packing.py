"""How people compress files, by the ending of the name."""

import bz2
import gzip
import lzma

import pyarrow as pa

PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
