"""Files of VASP, as text and as pymatgen's JSON."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any, BinaryIO

import numpy as np

from ...benchmark.errors import DataError
from .number_lines import read_numbers

# pymatgen's names of the blocks of a CHGCAR, by their number: spin-polarised ones have two, non-collinear ones four.
_BLOCKS = {1: ("total",), 2: ("total", "diff"), 4: ("total", "diff_x", "diff_y", "diff_z")}


def read_poscar(text: bytes, where: str) -> Any:
    """The pymatgen `Structure` of a POSCAR, or of the head of a CHGCAR.

    Raises:
        DataError: it does not name its elements, and pymatgen would take hydrogen, helium and so on; begins with
            `where`.
        IndexError, ValueError: it is truncated or in another format.
    """
    from pymatgen.core import Element
    from pymatgen.io.vasp import Poscar

    lines = text.decode(errors="replace").splitlines()  # a title may be in any encoding
    if any(int(word) > len(text) for line in lines[5:9] for word in line.split() if word.isdigit()):
        raise ValueError("fewer sites than stated")  # for which pymatgen would take memory first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            poscar = Poscar.from_str("\n".join(lines))
    except Exception as error:
        raise ValueError(str(error)) from error
    words = lines[5].split()
    if all(word.isdigit() for word in words) and poscar.site_symbols == [
        Element.from_Z(number).symbol for number in range(1, len(words) + 1)
    ]:
        raise DataError(f"{where} does not name its elements; add the line of their symbols, as VASP 5 writes it.")
    return poscar.structure


def read_chgcar(lines: Iterator[bytes], where: str) -> tuple[Any, dict[str, np.ndarray]]:
    """The structure of a CHGCAR or CHG, and its blocks by pymatgen's names: density times cell volume, in electrons.

    Raises:
        DataError: it does not name its elements; begins with `where`.
        EOFError, StopIteration, ValueError: it is truncated or in another format.
    """
    title, rest = next(lines), takewhile(lambda line: line.strip(), lines)
    structure = read_poscar(b"".join([title, *rest]), where)
    blocks: list[np.ndarray] = []
    block_follows = True
    for line in lines:
        words = line.split()
        if line.lstrip().startswith(b"augmentation occupancies"):
            read_numbers(lines, int(words[-1]))
        elif len(words) == 3 and all(word.isdigit() for word in words):
            shape = [int(word) for word in words]
            blocks.append(read_numbers(lines, math.prod(shape)).reshape(shape, order="F"))
            block_follows = False
        elif words:
            read_numbers(iter([line]), len(words))  # the magnetic moments, which stand before a block of spin
            block_follows = True
    if block_follows:
        raise EOFError
    if len(blocks) not in _BLOCKS:
        raise ValueError(f"{len(blocks)} blocks")
    return structure, dict(zip(_BLOCKS[len(blocks)], blocks, strict=True))


def read_chgcar_json(file: BinaryIO) -> tuple[Any, dict[str, np.ndarray]]:
    """As `read_chgcar`, from pymatgen's JSON of a `Chgcar`, or the Materials Project's, which has it as `data`.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    from pymatgen.core import Structure

    content = json.load(file)
    if not {"poscar", "structure"} & set(content):
        content = content["data"]
    structure = content["structure"] if "structure" in content else content["poscar"]["structure"]
    return Structure.from_dict(structure), {name: _array(values) for name, values in content["data"].items()}


def _array(values: Any) -> np.ndarray:
    """An array that monty wrote as nested lists, or as an object that holds them."""
    return np.array(values["data"] if isinstance(values, Mapping) else values)
