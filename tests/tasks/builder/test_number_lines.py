"""Blocks of numbers, whatever their lines look like."""

import numpy as np
import pytest
from ecdbench.tasks.builder import number_lines
from ecdbench.tasks.builder.number_lines import read_numbers
from hypothesis import given
from hypothesis import strategies as st

values = st.floats(-1e300, 1e300, allow_nan=False)


@given(st.lists(st.lists(values, max_size=9), min_size=1, max_size=40), st.booleans(), st.sampled_from([2, 20_000]))
def test_numbers_are_read_whatever_their_lines(rows, has_tight_exponents, at_once):
    texts = [[f"{value:.6e}" for value in row] for row in rows]
    count = sum(map(len, rows))
    if not count:
        return
    if has_tight_exponents:
        texts = [[text.replace("e", "") if len(text.partition("e")[2]) == 4 else text for text in row] for row in texts]
    widest_first = sorted(texts, key=len, reverse=True)
    lines = iter([*(f"{' '.join(row)}\n".encode() for row in widest_first), b"next"])
    number_lines._LINES_AT_ONCE, before = at_once, number_lines._LINES_AT_ONCE
    try:
        found = read_numbers(lines, count)
    finally:
        number_lines._LINES_AT_ONCE = before
    expected = [float(f"{value:.6e}") for row in sorted(rows, key=len, reverse=True) for value in row]
    assert found.tolist() == expected
    assert next(line for line in lines if line.strip()) == b"next"


@pytest.mark.parametrize(
    ("text", "error"), [(b"1 2\n", EOFError), (b"1 2\n3 4\n", ValueError), (b"1 2\n3-4-5\n", ValueError)]
)
def test_too_few_and_too_many_numbers(text, error):
    with pytest.raises(error):
        read_numbers(iter(text.splitlines(keepends=True)), 3)


def test_a_short_first_line():
    assert np.array_equal(read_numbers(iter([b"1\n", b"2 3 4\n", b"5 6 7\n", b"8\n", b"9"]), 8), np.arange(1, 9))
