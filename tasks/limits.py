"""What a dataset is at most: far more than an honest one has, and little enough that none hangs or fills memory.

docs/building.md lists these bounds, too.
"""

from __future__ import annotations

_MIB = 2**20

# Bytes of the file of a split, and of any other: manifest, card, Croissant description, figures.
LARGEST_SPLIT, LARGEST_OTHER = 128 * 1024 * _MIB, 32 * _MIB
# Of a manifest: columns; characters of a name, of a text and of an id.
MOST_COLUMNS, LONGEST_NAME, LONGEST_FACT, LONGEST_ID = 500, 100, 2000, 100
# Rows, and bytes of one row group when it is unpacked, since it is in memory as a whole.
MOST_ROWS, LARGEST_GROUP = 500_000, 128 * _MIB
# Bytes of all rows when they are unpacked: so many, or so many times the size of the files if that is more.
LARGEST_UNPACKED, MOST_EXPANSION = 512 * _MIB, 50
# Of a cell: characters of an input and of anything else; numbers of an array (128^3); pixels of a picture (4096^2).
LONGEST_INPUT, LONGEST_WORD, LARGEST_ARRAY, MOST_PIXELS = 2**18, 1000, 2**21, 2**24
# Of a target: no property is larger in any unit in use; beyond this, means and histograms overflow.
LARGEST_TARGET = 1e100
# Of a formula: characters, and of one element.
LONGEST_FORMULA, LARGEST_AMOUNT = 500, 1e6
# Seconds for one pass over everything, and bytes on the disk that give it a second more.
LEAST_SECONDS, BYTES_PER_SECOND = 30, 2 * _MIB
