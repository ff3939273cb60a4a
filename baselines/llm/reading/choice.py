"""Which of several numbers in a text is the answer: what it marks as such, else what is left."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

_MARK = re.compile(
    r"\b(?:(?:final|best|correct|my|the)\s+){0,3}(?:answer|final (?:value|estimate|prediction|result))\b[\"']?"
    r"(?:\s?\([^()\n]{0,30}\)|\s(?:in|to|for) [^\n:=]{1,30}?)?(?:\s?[:=]|\s(?:is|would be|should be|will be)\b)|"
    r"[\"']value[\"']\s?[:=]|\bvalue\s?=|^\W{0,4}value\W{0,4}[:=]",
    re.IGNORECASE | re.MULTILINE,
)
_CLAIM = re.compile(
    r"\b(?:i|we)(?:'d|'ll| would| will| can| could| must| shall)?(?: \w+ly)? "
    r"(?:estimate|predict|guess|say|expect|answer|go (?:with|for)|choose|pick|propose|conclude|settle on|put it)\b|"
    r"(?<!is )\bmy (?:\w+ ){0,2}(?:estimate|guess|prediction|answer|value)\b|"
    r"\b(?:prediction|estimate|guess|result)\s?[:=]|"
    r"\b(?:best|predicted|estimated|final) (?:\w+ ){0,4}(?:is|would be|=|:)|"
    r"\b(?:therefore|thus|hence|in conclusion|overall)\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\b(?:wait|correction|scratch that|on second thoughts?|let me (?:re|correct)\w*|i (?:misspoke|was wrong))\b|"
    r"(?:^|[.!?]\s+)(?:actually|no)\b[,:]|\?\s+no\b",
    re.IGNORECASE | re.MULTILINE,
)
# A reason, and no conclusion from it.
_REASON = re.compile(
    r"\b(?:because|since|given (?:that|the)|considering|whereas|while|although|though)\b"
    r"(?!.*\b(?:so|thus|hence|therefore|giving|gives|i)\b)",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCE_END = re.compile(r"\n|;|[.!?](?=\s+[^\W\d_]|\s*$)", re.MULTILINE)
_LONGEST_SENTENCE = 500
# A number that is no part of a word, also one that was passed over.
_NUMBER = re.compile(r"(?<![A-Za-z\d_])[\d#]")
_NUMBER_SOON = re.compile(r"\W*(?:[A-Za-z][\w']*\W+){0,5}?[\d#]")
_BLANK = re.compile(r"[\s:=*_\"'|]*")
_NOTHING_BEFORE = re.compile(
    r"(?:\W*[A-E][.):] )?"
    r"[\W_]*(?:(?:about|around|approximately|approx|roughly|circa|ca|maybe|perhaps|probably|likely|k|b)\b[\W_]*){0,3}",
    re.IGNORECASE,
)
_NOTHING_AFTER = re.compile(r"\W*(?:\([^()\n]*\)\W*)?")
_SEPARATOR = re.compile(r"[\s,;.|]*")
_LIKEWISE = 0.01  # numbers that differ by less say the same in two units


@dataclass(frozen=True)
class Candidate:
    """A number that may be the answer.

    Attributes:
        value: in the unit of the target; without a unit, as written.
        start: where it begins in its text.
        end: where it ends, with its unit.
        has_unit: it has a unit of the target's quantity.
        is_own_unit: it has the target's own unit.
        is_aside: it stands in brackets.
    """

    value: float
    start: int
    end: int
    has_unit: bool
    is_own_unit: bool
    is_aside: bool


class Standing(Enum):
    """Why a number was chosen."""

    MARKED = "the text marks it as its answer"
    CLAIMED = "it is said as an estimate, or stands alone"
    LEFT = "no other is left"


def choose(text: str, candidates: Sequence[Candidate]) -> tuple[Candidate | None, Standing]:
    """The answer among the numbers of a text, in order of their position; None where there is none, or several."""
    found, standing = _chosen(text, _without_reasons(text, candidates))
    if (
        found is not None and found.has_unit and not found.is_own_unit
    ):  # the same in the target's own unit, if it is said
        alike = (other for other in candidates if other.has_unit and other.is_own_unit and _say_the_same(other, found))
        found = next(alike, found)
    return found, standing


def _chosen(text: str, candidates: Sequence[Candidate]) -> tuple[Candidate | None, Standing]:
    alone = [found for found in candidates if not found.is_aside and _stands_alone(text, found)]
    if _are_several(candidates) and (len(alone) == len(candidates) or _is_list(text, candidates)):
        return None, Standing.LEFT
    correction = max((found.end() for found in _CORRECTION.finditer(text)), default=0)
    corrected = [found for found in candidates if found.start >= correction]
    if any(not found.is_aside for found in corrected):
        candidates = corrected
    else:
        correction = 0
    if (marked := _marked(text, candidates, correction)) is not None:
        return next(iter(marked), None), Standing.MARKED
    alone = [found for found in alone if found.start >= correction]
    if alone and not _are_several(alone):
        return alone[0], Standing.CLAIMED
    if (claimed := _claimed(text, candidates, correction)) is not None:
        return next(iter(claimed), None), Standing.CLAIMED
    return _only(candidates), Standing.LEFT


def _without_reasons(text: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The numbers but those that are the reason for another before, as in `165 GPa since Ir has 320`."""
    kept: list[Candidate] = []
    for found in candidates:
        between = text[kept[-1].end : found.start][:_LONGEST_SENTENCE] if kept and not kept[-1].is_aside else ""
        if not _REASON.search(between) or _SENTENCE_END.search(between):
            kept.append(found)
    return kept


def _is_list(text: str, candidates: Sequence[Candidate]) -> bool:
    """Whether numbers follow each other without a word between them, as in the answers to several questions."""
    outside = [found for found in candidates if not found.is_aside]
    return len(outside) > 1 and all(
        _SEPARATOR.fullmatch(text, one.end, other.start)
        and one.has_unit == other.has_unit
        and not _say_the_same(one, other)
        for one, other in pairwise(outside)
    )


def _say_the_same(one: Candidate, other: Candidate) -> bool:
    return math.isclose(one.value, other.value, rel_tol=_LIKEWISE)


def _are_several(candidates: Sequence[Candidate]) -> bool:
    return len({found.value for found in candidates}) > 1


def _marked(text: str, candidates: Sequence[Candidate], start: int) -> Sequence[Candidate] | None:
    """What follows the last mark of an answer with a number; empty where that is several, passed over, or missing."""
    for mark, words, said in _said_after(_MARK, text, candidates, start):
        if mark[0].endswith((":", "=")) and (not candidates or candidates[-1].start < mark.end()):
            return []
        if _NUMBER.search(words):
            outside = [found for found in said if not found.is_aside] or said
            is_bare = bool(outside) and not outside[0].has_unit
            return [] if is_bare and _are_several([found for found in outside if not found.has_unit]) else outside
    return None


def _claimed(text: str, candidates: Sequence[Candidate], start: int) -> Sequence[Candidate] | None:
    """What follows the last words of an estimate: a number with a unit, or one without after all of those with one."""
    last_unit = max((found.start for found in candidates if found.has_unit), default=-1)
    for _, words, said in _said_after(_CLAIM, text, candidates, start):
        outside = [found for found in said if not found.is_aside]
        with_unit = [found for found in outside if found.has_unit]
        if with_unit or (len(outside) == 1 and outside[0].start > last_unit):
            return with_unit or outside
        if not outside and _NUMBER_SOON.match(words):
            return []
    return None


def _said_after(
    pattern: re.Pattern[str], text: str, candidates: Sequence[Candidate], first: int
) -> Iterator[tuple[re.Match[str], str, Sequence[Candidate]]]:
    """Some words, what is said from there to the end of the sentence, and the numbers in it; the last ones first."""
    starts = [found.start for found in candidates]
    for match in reversed(list(pattern.finditer(text, first))):
        blank = _BLANK.match(text, match.end())
        start = blank.end() if blank else match.end()
        end = _SENTENCE_END.search(text, start, start + _LONGEST_SENTENCE)
        stop = end.start() if end else start + _LONGEST_SENTENCE
        yield match, text[start:stop], candidates[bisect_left(starts, match.end()) : bisect_left(starts, stop)]


def _only(candidates: Sequence[Candidate]) -> Candidate | None:
    """The last number with a unit, else the only number; in brackets it needs a unit, and there must be no other."""
    outside = [found for found in candidates if not found.is_aside]
    if with_unit := [found for found in outside if found.has_unit]:
        return with_unit[-1]
    inside = [found for found in candidates if found.is_aside and found.has_unit]
    if (outside and inside) or _are_several(outside or inside):
        return None
    return next(iter(outside or inside), None)


def _stands_alone(text: str, found: Candidate) -> bool:
    """Whether there is nothing but the number on its line, or in the first sentence of the text."""
    start = text.rfind("\n", 0, found.start) + 1
    if not _NOTHING_BEFORE.fullmatch(text, start, found.start):
        return False
    newline = text.find("\n", found.end)
    end = len(text) if newline < 0 else newline
    if not text[:start].strip():
        sentence = _SENTENCE_END.search(text, found.end - 1, end)
        end = max(sentence.start(), found.end) if sentence else end
    return _NOTHING_AFTER.fullmatch(text, found.end, end) is not None
