"""The number in free text that is the answer, in the unit of the target."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .reading.choice import Candidate, Standing, choose
from .reading.numbers import NUMBER, magnitude, sign_before
from .reading.passed_over import SPAN, mask_others
from .reading.plain_text import plain_characters, without_markup
from .reading.refusals import is_refusal
from .reading.units import Unit, parse_unit, respelled, size_in, unit_at

_BRACKET = re.compile(r"[(\[\])\n]")
_VALUE_BEFORE, _LINE_END = re.compile(r"(?:^|[\n=:~\u2212-])[^\w\n]*$"), re.compile(r"[^\w\n]*(?:\n|$)")
_MORE_OF_A_UNIT = re.compile(r"[\w^]|\s?(?:/|per\b)")
_NUMBER_BEFORE = re.compile(r"(?<![\w.,])(?<![A-Za-z]-)[\d.,]*\d $")
_GAP = re.compile(r"[ \t~\u00b1]*(?:[)\]][ \t]*)?(?P<opening>[(\[][ \t]*)?-?")
_CLOSING = re.compile(r"[ \t]*[)\]]")
_NEXT_WORD = re.compile(r"(?P<gap>[ \t]*)-?(?P<word>[^\W\d_][\w/^]*|[\u00b0\u2030])")
_FIRST_LETTERS = re.compile(r"(?<![^\W\d_\u2e80-\uffff])[^\W\d_\u2e80-\uffff]{2}")
# Before any other word a number without unit counts something, or has a unit that is not known.
_AFTER_AN_ANSWER = """
    is was are were as at in for from on to because since due given considering with and but which that if when assuming
    using approximately roughly so then would should seems could may might i this the it my we here likely probably than
    though although while please note however where therefore thus hence or not after before final answer estimate
    estimated value prediction predicted based according \u5de6\u53f3 \u7a0b\u5ea6 \u3067\u3059
"""
_AFTER_A_PROBABILITY = "probability chance likelihood likely"
_FRACTION = re.compile(r"(?<![\d./])(\d{1,3})\s?/\s?([1-9]\d{0,2})(?![\d./])")


@dataclass(frozen=True)
class _Target:
    """The unit of a target as it is written, in plain characters, and as it is known; the words that describe it."""

    written: str
    unit: Unit | None
    about: str
    is_probability: bool = False


def find_number(text: str, unit: str, about: str = "") -> float | None:
    """The number in a text that can be the answer, in the unit of the target; None where there is none, or several.

    Numbers that are about something else are passed over. What the text marks as its answer comes first, then the last
    number with a unit of the target's quantity, then a number without unit if it is the only one, which beside words of
    refusal does not count.

    Args:
        text: what a reply says, or a part of it.
        unit: unit of the target.
        about: name and description of the target, so that its own words do not count as those of something else.
    """
    return _find(text, _target(unit, about))


def find_probability(text: str) -> float | None:
    """As `find_number`, for a probability from 0 to 1; percentages are converted."""
    return _find(text, _Target("", None, "", is_probability=True))


@lru_cache(maxsize=256)
def _target(unit: str, about: str) -> _Target:
    written = respelled(without_markup(plain_characters(unit))).strip()
    return _Target(written, parse_unit(written), about)


def _find(text: str, target: _Target) -> float | None:
    plain = respelled(without_markup(plain_characters(text)))
    if target.is_probability:
        plain = _FRACTION.sub(lambda match: f"{int(match[1]) / int(match[2]):.12g}", plain)
    masked = mask_others(plain, target.about, target.is_probability)
    found, standing = choose(masked, list(_candidates(masked, target)))
    if found is None or (standing is Standing.LEFT and _is_outside_a_range(found, plain, target)):
        return None
    if found.has_unit:
        return found.value
    if standing is not Standing.MARKED and is_refusal(plain):
        return None
    size = _mentioned_size(masked, target)
    return None if size is None else found.value * size


def _is_outside_a_range(found: Candidate, text: str, target: _Target) -> bool:
    """Whether a range with a unit follows in which a number is not: then the number is about something else."""
    for span in SPAN.finditer(text, found.end):
        ends = [magnitude(number[0]) for number in NUMBER.finditer(text, span.start(), span.end())]
        size = (_unit_after(text, span.end(), target) or (None, 0))[0]
        if size is not None and ends and not min(ends) * size <= abs(found.value) <= max(ends) * size:
            return True
    return False


def _candidates(text: str, target: _Target) -> Iterator[Candidate]:
    """The numbers of a text that have no unit, or one of the target's quantity."""
    brackets = list(_brackets(text))
    end, bracket = 0, 0
    for number in NUMBER.finditer(text):
        if number.start() < end:  # a digit of a unit
            continue
        start, end = number.span()
        unit = _unit_after(text, end, target)
        size, end = unit or (1.0, end)
        sign = sign_before(text, start)
        if sign is None or size is None or (unit is None and _counts_something(text, end, target)):
            continue
        value = sign * magnitude(number[0]) * size
        is_one_of_several = _NUMBER_BEFORE.search(text, max(0, start - 30), start) is not None
        if not math.isfinite(value) or is_one_of_several or (target.is_probability and not 0 <= value <= 1):
            continue
        while bracket < len(brackets) and brackets[bracket][1] <= start:
            bracket += 1
        is_aside = bracket < len(brackets) and brackets[bracket][0] <= start and end <= brackets[bracket][1]
        is_aside = is_aside and not _is_whole_value(text, *brackets[bracket])
        if target.is_probability:  # a percentage is a number like another, also in brackets
            yield Candidate(value, start, end, has_unit=False, is_own_unit=True, is_aside=is_aside and unit is None)
        else:
            yield Candidate(value, start, end, has_unit=unit is not None, is_own_unit=size == 1, is_aside=is_aside)


def _is_whole_value(text: str, start: int, end: int) -> bool:
    """Whether brackets are all that stands on a line, or all after an equals sign."""
    return _VALUE_BEFORE.search(text, max(0, start - 30), start) is not None and _LINE_END.match(text, end) is not None


def _brackets(text: str) -> Iterator[tuple[int, int]]:
    """The outermost brackets that close on their line, as spans."""
    start, depth = 0, 0
    for bracket in _BRACKET.finditer(text):
        if bracket[0] in "([":
            start, depth = (start, depth + 1) if depth else (bracket.start(), 1)
        elif bracket[0] == "\n":
            depth = 0
        elif depth:
            depth -= 1
            if not depth:
                yield start, bracket.end()


def _unit_after(text: str, end: int, target: _Target) -> tuple[float | None, int] | None:
    """Size, in the target's unit, and end of the unit after a number; the size is None for another quantity."""
    gap = _GAP.match(text, end)
    start = gap.end() if gap else end
    written_end = start + len(target.written)
    is_written = bool(target.written) and text.startswith(target.written, start)
    is_written = is_written and not _MORE_OF_A_UNIT.match(text, written_end)
    found = unit_at(text, start)
    size: float | None = 1.0
    if found and not (is_written and found[1] <= written_end):
        size, unit_end = _size(found[0], target), found[1]
    elif is_written:
        unit_end = written_end
    else:
        return None
    closing = _CLOSING.match(text, unit_end)
    if gap and gap["opening"]:
        return (size, closing.end()) if closing else None
    return size, unit_end


def _size(unit: Unit, target: _Target) -> float | None:
    if target.is_probability:
        return 0.01 if unit == (("percent", 1),) else None
    return size_in(unit, target.unit) if target.unit else None


def _counts_something(text: str, end: int, target: _Target) -> bool:
    """Whether a number without unit stands before another number, or before a word that it counts."""
    if re.match(r" \d", text[end : end + 2]):
        return True
    following = None if text[end - 1] == "." else _NEXT_WORD.match(text, end)
    return following is not None and not (following["gap"] and following["word"].casefold() in _words_after(target))


@lru_cache(maxsize=256)
def _words_after(target: _Target) -> frozenset[str]:
    words = f"{_AFTER_AN_ANSWER} {_AFTER_A_PROBABILITY}" if target.is_probability else _AFTER_AN_ANSWER
    return frozenset(words.split())


def _mentioned_size(text: str, target: _Target) -> float | None:
    """The size of the unit that a text names apart from the number; 1 if it names none, None if it names several."""
    if target.unit is None:
        return 1.0
    units = (unit_at(text, word.start()) for word in _FIRST_LETTERS.finditer(text))
    sizes = {size for unit in units if unit and (size := size_in(unit[0], target.unit)) is not None}
    return None if len(sizes) > 1 else next(iter(sizes), 1.0)
