"""Numbers that nobody would take for the answer: ranges, uncertainties, counts, and values of something else."""

from __future__ import annotations

import re
from functools import lru_cache

from .numbers import LOOSE
from .plain_text import DASH, MINUS

# A number that does not begin inside another; a unit or a word directly after a number.
_FIRST = rf"(?<![\w.^]){LOOSE}"
_UNIT = r"(?: ?(?!e[-+\d])(?:[^\W\d_]|%)(?:[^\W\d_]|[/%\u00b7]|\^\(?[-\u2212]?\d\)?|[23](?!\d)){0,15})?"
_NO_UNIT = r"(?![\d.,]*\d| ?[A-Za-z\u00b5\u00c5%])"
_WORDS = r"(?:[A-Za-z][\w'-]*[\s(~:=]{1,3})"
# What stands between a name and its number, as in "the confidence level is about".
_BETWEEN = (
    r"(?:[ \t:=~|(*\"'\u2026]|\([^()\d]{1,15}\)|"
    r"\b(?:is|of|was|be|at|to|the|a|an|its|this|about|around|approximately|approx|roughly|level|score|values?|number|would|estimated?|calculated|in|for|crystal|material|compound|no)\b\.?){0,14}"
)

_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:[a-z]{3,6})?\.?"
_YEAR = r"(?:19|20)\d\d"
_DATES = (
    r"\b\d{4}-\d\d-\d\d\b|\b\d\d?:\d\d\b",
    rf"\b{_MONTH} (?:\d{{1,2}},? )?(?:of )?{_YEAR}\b|\b\d{{1,2}} {_MONTH},? {_YEAR}\b",
    rf"\b(?:in|since|until|till|before|after|as of|year|late|early|mid|circa|cutoff(?: date)?(?: is| of)?|al\.?,?|\w+,)"
    rf" \(?{_YEAR}\b{_NO_UNIT}",
    rf"(?<=[a-z.] )\({_YEAR}[a-z]?\)|\b{_YEAR}\s?\u5e74",
)
_COUNTED = (
    r"steps?|examples?|samples?|figures?|fig\.|tables?|equations?|eqs?\.|refs?\.|references?|citations?|pages?|sections?|"
    r"chapters?|versions?|rank(?:s|ed)?|options?|lines?|items?|rows?|iterations?|shots?|crystals?|entr(?:y|ies)|group|number"
)
_LABELS = (
    r"(?<=[\w.,)\]%\"'*])[ \t]{0,3}\[\^?\d{1,3}(?:\s?[,\u2013-]\s?\d{1,3})*\]",  # 165 GPa [1]
    r"^[ \t]*\(?[12]?\d[.)](?=[ \t]+\S)|^\[\d{1,3}\](?= [A-Z][a-z.])",  # 1. First
    rf"\b(?:{_COUNTED})\s?(?:no\.\s?|#|\()?\d{{1,3}}{_NO_UNIT}\)?(?:\s?\([^()\n]*\))?|\#\d+",  # example 1 (120 GPa)
)
_FACES = r"(?:planes?|slices?|surfaces?|faces?|directions?|facets?|orientations?|cuts?|famil(?:y|ies))"
_CRYSTALLOGRAPHY = (
    rf"[(\[<]-?\d{{3}}[)\]>](?=[\s-]*{_FACES}\b)|\b(?:along|the|plane) [(\[<]-?\d{{3}}[)\]>]",
    r"(?<=\w )[(\[<][0-2]{3}[)\]>]|[(\[<][01]{3}[)\]>]",
    rf"[(\[] ?{LOOSE}{_UNIT}(?: ?[,;] ?{LOOSE}{_UNIT})+ ?[)\]]",  # coordinates and intervals
)
_COMPARATIVE = r"(?:more|less|greater|higher|lower|larger|smaller|fewer|stiffer|softer)"
_BEYOND = r"(?:above|below|over|under)"
_TO = rf"(?:[ \t]?(?:[-{MINUS}{DASH}\u2026]|\b(?:to|through|until)\b)[ \t]?(?:about |~)?|~)"
_SPAN = rf"{_FIRST}{_UNIT}{_TO}{LOOSE}(?![.,]?\d|\^)|\b(?:between|from) {LOOSE}{_UNIT} (?:and|up to) {LOOSE}"
_RANGES = (
    _SPAN,
    rf"(?:[<>]=?|\b(?:at (?:least|most)|{_COMPARATIVE} than|up to|{_BEYOND}|exceed(?:s|ing)?)(?: the)?) ?{LOOSE}",
    rf"{_FIRST}{_UNIT} ?[<>]=? ?[^\W\d]|{_FIRST}\+(?! ?[\d/-])",
    rf"{_FIRST}{_UNIT} (?:or (?:{_COMPARATIVE}|{_BEYOND})|max(?:imum)?|min(?:imum)?|at (?:most|least)|tops)\b",
    rf"\b(?:(?:min|max)(?:imum)?|lower|upper|worst|lowest|highest)(?: (?:case|bound|limit|estimate|value))?"
    rf" ?(?:[:=]|\bis\b)? ?{LOOSE}",
    rf"\b(?:range|interval|CI) ?[:=(\[]? ?{LOOSE}|\bwithin (?:about |~ ?)?{LOOSE}",
)
_COMPARED = (
    rf"\b(?:compared (?:to|with)|in comparison|for comparison|by contrast|versus|vs\.?|unlike|whereas|relative to),?\s?"
    rf"{_WORDS}{{0,10}}{LOOSE}",
    rf"\bthan (?:[A-Za-z][\w'-]*[ (~=]{{1,3}}){{0,10}}{LOOSE}",
    rf"\bth(?:at|ose) of (?:[A-Za-z][\w'-]*,? \(?){{1,4}}{LOOSE}",
    rf"{_FIRST}(?<!\.){_UNIT} (?:{_COMPARATIVE}|{_BEYOND})\b",
    rf"\b(?:similar|close|comparable|analogous) to (?!about|around|approx|roughly){_WORDS}{{1,10}}{LOOSE}",
    rf"\d[^\n]{{0,150}}?\b(?:note that|note:|in contrast|(?:for|by|in) (?:reference|context|comparison)),?\s?"
    rf"{_WORDS}{{0,10}}(?P<other>{LOOSE}{_UNIT})",
    rf"\d[^\n]{{0,150}}?\b(?:cf|lit|literature|exp|experiment(?:al)?|measured|reported)\b[ .:=(]*(?:values? )?"
    rf"(?:of |is |at )?(?P<other>{LOOSE}{_UNIT})",
    rf"\b(?:such as|e\.g\.|for (?:example|instance))(?:,? |, ){LOOSE}|\b(?:up|down) from (?:about )?{LOOSE}",
    rf"\b(?:not|n't|rather than|instead of) (?:the |about )?{LOOSE}",
    rf"\b(?!(?:it|that|this|here|there|what|value|answer)'s)[a-z]\w*'s {LOOSE}",  # Ir's 320 GPa
    rf"{_FIRST}(?<!\.){_UNIT} (?:at|under) (?P<other>{LOOSE}{_UNIT})",  # 165 GPa at 10 GPa
    rf"\d[^.\n]{{0,60}}, with an? [^.,;\d\n]{{0,40}} of (?P<other>{LOOSE}{_UNIT})",
    rf"{_FIRST}{_UNIT}[^.\n\d]{{0,15}}\b(?:or rather|or better|i mean|make that|scratch that|no,? wait)\b",
)
_MEASURES = (
    r"confidence|certainty|credence|score|rating|space group|group|(?:atomic|coordination|wave|quantum) number|"
    r"oxidation state|uncertainty|errors?(?: bars?)?|standard deviation|std|sigma|\u03c3|deviation|margin|tolerance|"
    r"percentile|quantile|[pq]\d\d?(?<!50)|"
    r"years?|dates?|seed|draft"
)
_OPERATOR = r"\s?[+*\u00d7\u00b7/\u00f7]\s?"
_ABOUT_THE_ANSWER = (
    rf"\b(?:{_MEASURES})\b{_BETWEEN}{LOOSE}(?:\s?/\s?\d+)?%?",
    rf"{_FIRST}(?<!\.)\s?%?[ -](?:confidence|confident|certain|certainty|sure|CI|credible)\b",
    rf"{_FIRST}\s?(?:/|out of)\s?(?:5|10|100)\b(?!\.\d)",
    rf"\b(?:log(?:_?10)?|ln|lg|sqrt|exp)\b[^=\n\d]{{0,20}}[=~:]? ?{LOOSE}",
    rf"\({LOOSE}\){_OPERATOR}\(?{LOOSE}|"
    rf"{_FIRST}(?:{_OPERATOR}{LOOSE})+|{_FIRST}{_OPERATOR}(?=\()|\){_OPERATOR}{LOOSE}",  # the terms of a calculation
)
_ALWAYS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (*_DATES, *_LABELS, *_CRYSTALLOGRAPHY, *_RANGES, *_COMPARED, *_ABOUT_THE_ANSWER)
)
SPAN = re.compile(_SPAN, re.IGNORECASE)
_UNCERTAINTY = re.compile(
    rf"\^\(?\+{LOOSE}\)?_?\(?[-\u2212]{LOOSE}\)?|[\[(]?\s?\u00b1\s?{LOOSE}\s?%?|(?<=\d)\([\d.]{{1,6}}\)|"
    rf"\b(?:with|within)\b[^.\n\d]{{0,30}}\b(?:uncertainty|error|margin)\b{_BETWEEN}{LOOSE}",
    re.IGNORECASE,
)
_ALTERNATIVES = re.compile(
    rf"(?:{_FIRST}{_UNIT}, ){{0,9}}{_FIRST}({_UNIT}),?\s?\bor\b\s?(?:about\s|~\s?)?{LOOSE}({_UNIT})", re.IGNORECASE
)
_PROBABILITY = re.compile(rf"\b(?:probability|likelihood|chance)\b{_BETWEEN}{LOOSE}\s?%?", re.IGNORECASE)

# Properties, with the symbols of some: their values are passed over, unless the target is one of them.
_PROPERTIES = {
    "shear": r"[gG](?:_\w{1,5})?",
    "young(?:'s)?": r"[EY](?=\s?[=~:]\s?[\d.]+\s?[GMk]?Pa)",
    "hardness": "H_?[vV]",
    "elastic constants?": r"[cC]_?\(?\d\d\)?",
    "lattice": "[abc](?:_?0)?",
    "temperature": "T",
    "pressure": "[Pp]",
    "hubbard": "U",
    "valence": "[nNZ]",
    "distances?": "[dr]",
    "ratio": "[xyz]",
    "unstable": r"\u03b3_?us\w*",
} | dict.fromkeys(
    ("rigidity", "tensile", "yield", "stiffness", "bond lengths?", "spacing", "period(?:icity)?", "radius", "thickness",
     "edge", "width", "height", "angle", "electronegativity", "melting", "boiling", "debye", "cutoff", "threshold",
     "cohesive", "binding", "adsorption", "vacancy", "migration", "ionization", "work function", "affinity",
     "wavelength", "factor", "coefficient", "intensity", "contrast", "charge"), ""
)  # fmt: skip
# Any of these may be the target, so they are passed over only where it is known.
_TARGETS = {
    "bulk": r"[kKB](?:_?0|_\w{1,5})?",
    "density": "\u03c1|rho",
    "volume": "V",
    "poisson": "\u03bd|nu",
    "gap": "E_?g(?:ap)?",
    "fermi": "E_?F",
} | dict.fromkeys(
    ("incompressibility", "formation", "hull", "magnetic", "magneti[sz]ation", "moment", "mass",
     "weight", "sites", "stacking", "surface", "anisotropy"), ""
)  # fmt: skip
_NOUNS = (
    r"(?: (?:modul(?:us|i)|strength|ratio|constants?|parameters?|vectors?|gaps?|energy|energies|level|moments?|"
    r"temperatures?|points?|fault|U|per|atom|fu|cell))*"
)


@lru_cache(maxsize=256)
def _other_properties(about: str) -> tuple[re.Pattern[str], ...]:
    """Patterns of the values of all properties but the one that some words are about."""
    properties = _PROPERTIES | (_TARGETS if about else {})
    others = {name: symbol for name, symbol in properties.items() if not re.search(name, about, re.IGNORECASE)}
    names, symbols = "|".join(others), "|".join(filter(None, others.values()))
    constants = r"(?:\b[cC]_?\(?\d\d\)?(?: ?(?:[,/=]|and|&) ?)?){2,6}" if "elastic constants?" in others else "(?!)"
    return (
        re.compile(rf"{constants}{_BETWEEN}(?:{LOOSE}{_UNIT} ?(?:(?:,|and|/|;) ?)?)+"),
        re.compile(rf"\b(?:{names})\b{_NOUNS}{_BETWEEN}{LOOSE}", re.IGNORECASE),
        re.compile(rf"{_FIRST}(?<!\.){_UNIT} (?:(?:for|as) )?(?:the |its )?(?:{names})\b", re.IGNORECASE),
        re.compile(rf"{_FIRST}{_UNIT} ?\((?:{symbols}|(?i:{names})[^()\d]*)\)"),
        re.compile(rf"(?<![\w.])(?:{symbols})\s?(?:\([^()\d]{{1,12}}\))?\s?[=~:]+\s?{LOOSE}"),
    )


def mask_others(text: str, about: str = "", is_probability: bool = False) -> str:
    """A text of the same length in which numbers that are not the answer have lost their digits.

    Args:
        text: in plain characters, without markup.
        about: name and description of the target; empty if unknown.
        is_probability: a probability is asked for.
    """
    text = _UNCERTAINTY.sub(lambda match: "\u00b1" * len(match[0]), text)
    text = _ALTERNATIVES.sub(_masked_alternatives, text)
    for pattern in (*_ALWAYS, *(() if is_probability else (_PROBABILITY, *_other_properties(about)))):
        text = pattern.sub(_masked, text)
    return text


def _masked(match: re.Match[str]) -> str:
    """The matched text without digits, or, where the pattern names a part `other`, without digits and units there."""
    if not match.groupdict().get("other"):
        return re.sub(r"\d", "#", match[0])
    start = match.start("other") - match.start()
    return match[0][:start] + re.sub(r"[^\W_]", "#", match[0][start:])


def _masked_alternatives(match: re.Match[str]) -> str:
    """One number or another is no answer; the same one in two units may be."""
    return match[0] if match[1] and match[2] and match[1].strip() != match[2].strip() else _masked(match)
