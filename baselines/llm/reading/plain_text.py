"""Plain text: the characters of all scripts in ASCII, without LaTeX, tags and markdown."""

from __future__ import annotations

import html
import re
import unicodedata

from .substitutions import Substitutions

_SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a"
_FROM_SUPERSCRIPT = str.maketrans(_SUPERSCRIPTS, "0123456789-+")
# A minus sign and an en or em dash, which also separates, stay apart from hyphens.
MINUS, DASH = "\u2212", "\u2013"
_ALIKE = {
    MINUS: "\u02d7\u2796",
    DASH: "\u2014\u2015",
    "~": "\u2248\u2243\u2245\u223c\u2252\u301c",
    "<": "\u2264\u2266\u2272\u2a7d\u2a85",
    ">": "\u2265\u2267\u2273\u2a7e\u2a86",
    "\u00d7": "\u2715\u2a2f\u2716\u2717",
    "\u00b7": "\u22c5\u2219\u2027\u30fb",
    "/": "\u2044\u2215",
    ".": "\u066b\u3002",
    ",": "\u066c\u060c",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "'": "\u2018\u2019\u201a\u201b\u2032",
    "\u2022": "\u2023\u25aa\u25cf\u2043",
    " : ": "\u2192\u21d2\u27f6\u27f9\u279c\u2794",  # arrows
    "\u00b5": "\u03bc",
    "\n": "\u2028\u2029\u0085",
}
_CHARACTERS = str.maketrans({other: plain for plain, others in _ALIKE.items() for other in others})

# LaTeX commands that mean a character; of any other command its name stays, as in `\giga\pascal`.
_COMMANDS = {
    **{"times": "\u00d7", "cdot": "\u00b7", "pm": "\u00b1", "per": "/", "mu": "\u00b5", "circ": "\u00b0"},
    **{"AA": "\u00c5", "angstrom": "\u00c5", "textminus": MINUS, "textendash": DASH},
    **dict.fromkeys(("approx", "sim", "simeq", "cong"), "~"),
    **dict.fromkeys(("to", "rightarrow", "Rightarrow", "implies", "longrightarrow"), " : "),
    **dict.fromkeys(("le", "leq", "leqslant", "lt"), "<"),
    **dict.fromkeys(("ge", "geq", "geqslant", "gt"), ">"),
    **dict.fromkeys(("quad", "qquad", "bf", "rm", "it", "displaystyle", "left", "right"), " "),
}
_STYLED = re.compile(
    r"\\(?:text(?:rm|bf|it|tt|sf)?|math(?:rm|bf|it|tt|sf|bb)|operatorname|boldsymbol|bm|mbox|emph|underline|unit|si|num|"
    r"ensuremath)\s*\{([^{}]*)\}"
)
_ANSWER_TAG = r"(?:final_?)?(?:answer|value|prediction|estimate|number)|final"
# (1.35 +- 0.05) x 10^2 and 1.35(5) x 10^2
_DECIMAL, _TIMES_TEN = r"[-\u2212\u2013]?[\d.,]{1,30}", r"[ \t]?[x\u00d7*\u00b7][ \t]?(?=10[ \t]?\^)"
_WITH_POWER = (
    rf"(?:\([ \t]?)?(?<![\d.,])({_DECIMAL})[ \t]?(?:\u00b1[ \t]?{_DECIMAL}[ \t]?\)|\([\d.]{{1,6}}\)){_TIMES_TEN}"
)
# Each in turn; the braces of `\boxed` are taken away with all others.
_MARKUP = Substitutions(
    (
        # LaTeX
        (r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"(\1)/(\2)"),
        (r"\\(?:SI|qty)\s*(?:\[[^\[\]]*\])?\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1 \2"),
        (r"\\f?boxed\s*\{", "\nanswer: {"),
        (r"\{([,.+-])\}", r"\1"),
        (r"\^\s*\{([^{}]*)\}", r"^(\1)"),
        (r"_\s*\{([^{}]*)\}", r"_\1"),
        (r"(?<=\d)\\[,!](?=\d{3}(?!\d))", ""),
        (r"\\\\|\\n(?-i:(?![a-z]))", "\n"),
        (r"\\[,;:! ]|\\[()\[\]]|~(?=\\)", " "),
        (r"\\([%$&#_{}])", r"\1"),
        (r"(?<=[^\W\d_])\$(?=[-\d\u2212\u2013~+])", " "),
        (r"\$", ""),
        # tags
        (r"<!--[^<>]{0,500}-->", " "),
        (rf"<(?:{_ANSWER_TAG})\b[^<>]{{0,100}}>|<\w{{1,20}} name=\"(?:{_ANSWER_TAG})\">", "\nanswer: "),
        (r"<(?:br|p|li|tr|div|h\d)\b[^<>]{0,100}>|</(?:p|li|tr|div|h\d)>", "\n"),
        (r"<t[dh]\b[^<>]{0,100}>", " | "),
        (r"</?(?:b|i|u|em|strong|span|font|mark|code|small|sub|sup)\b[^<>]{0,200}>", ""),
        (r"<([a-z]\w{1,30})>(?=\s*[-\u2212\u2013~]?\s*\d)", r"\n\1: "),
        (r"</?[a-z][^<>]{0,200}>", " "),
        (r"<\s*([-\u2212\u2013~+]?\s*\d[\w.,+/^-]{0,30}(?: [a-z][\w/^]{0,9})?)\s*>", r"\1"),
        # markdown
        (r"~~[^~\n]{1,200}~~", " "),
        (r"```\w*", "\n"),
        (r"^[ \t]*#{1,6}[ \t]+", ""),
        (r"(?<=\b10)\*\*(?=\(?[-\u2212+]?\d)", "^"),
        (r"\*\*+(?!\d)|(?<!\d)\*\*+|`", ""),
        (r"(?<![\w*)])\*(?=[-\u2212\u2013~+(]?[\d.])|(?<=[\w.%)])\*(?![\w*(.\s])", ""),
        (r"(?<!\w)_{1,2}(?=[-\u2212\u2013+]?[\d.])|(?<=\d)_{1,2}(?!\w)", ""),
        (r"^[ \t]*[\u2022*+][ \t]+", ""),
        (r"\u3010[^\u3010\u3011]{0,100}\u3011", " "),
        (r"https?://\S+|\bdoi:\s?\S+|\b10\.\d{4,9}/\S+|\barxiv:\s?\S+", " "),
        # typography
        (r"(?<=\d) times (?=\d)", " \u00d7 "),
        (r"(?<=\d) ?\u2022 ?(?=10\b)", "\u00b7"),
        (r"[=~-]{1,3}>|\u2013>|^[ \t]*>{2,}", " : "),
        (r"\+\s?/\s?[-\u2212\u2013]|\+-(?=\s?\d)|\bplus or minus\b|\bgive or take\b", "\u00b1"),
        (r"\.{2,}", " \u2026 "),
        (r"\b(?:minus|negative)\s+(?=[\d.])", "-"),
        (r"\(([-\u2212\u2013])\)(?=\s?\d)", r"\1"),
        (r"\^\(\s?([-+\u2212\u2013]?\d{1,4})\s?\)", r"^\1"),
        (_WITH_POWER, "\\1\u00d7"),
        (r"(?<=[a-z])\.(?=[-\u2212\u2013+]?\d)", ". "),  # approx.-1.5
        (r"(?<=\d)'(?=\d{3}(?!\d))", ""),
    )
)


def plain_characters(text: str) -> str:
    """Digits, dashes, quotes and spaces of all scripts in ASCII where there is such a character; 10² as 10^(2)."""
    text = re.sub(r"<sup>([^<>]{1,20})</sup>", r"^(\1)", html.unescape(text))
    if text.isascii():
        return text
    text = re.sub(f"[{_SUPERSCRIPTS}]+", lambda run: f"^({run[0].translate(_FROM_SUPERSCRIPT)})", text)
    text = re.sub(r"(?<=\d)[\u00a0\u2007-\u200a\u202f\u2019](?=\d{3}(?!\d))", "", text)  # between thousands
    text = re.sub(r"[\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]", "\u2022", text)  # numbers in circles
    text = re.sub(r"(?<!\w)\u00ad(?=\d)", "-", text)
    text = unicodedata.normalize("NFKC", text).translate(_CHARACTERS)
    return text.translate({ord(character): _ascii(character) for character in set(text) if not character.isascii()})


def _ascii(character: str) -> str:
    """A digit or a dash in ASCII, nothing for an invisible character, any other as it is."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" and character != DASH:
        return "-"
    return "" if category == "Cf" else character


def without_markup(text: str) -> str:
    """A text without LaTeX, tags and markdown; where one of them marks the answer, a line `answer: ...`."""
    for _ in range(3):  # nested
        text = _STYLED.sub(r"\1", text)
    text = _MARKUP.apply(text)
    text = re.sub(r"\\([A-Za-z]+)", lambda command: _COMMANDS.get(command[1], f" {command[1]} "), text)
    return re.sub(r"[{}]", " ", text)
