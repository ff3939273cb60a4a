"""Words of refusal."""

from __future__ import annotations

import re

# Not the hedges before an estimate, as in "I cannot be sure, but about 165".
_HEDGES = r"(?!be (?:sure|certain|exact|precise)|guarantee|verify|say (?:for sure|exactly))"
_CANNOT = r"(?:cannot|can't|cant|can not|could not|couldn't)"
_REFUSALS = (
    r"\bi(?:'m| am) (?:sorry|afraid i)\b",
    r"\bi apologi[sz]e\b",
    rf"\b(?:i|we) {_CANNOT} {_HEDGES}",
    r"\b(?:i'm|i am|we're|we are) (?:unable|not able)\b",
    r"\bunable to (?:provide|estimate|assist|determine|predict|give|answer|help)\b",
    rf"\b{_CANNOT} be (?:\w+ly )?(?:determined|estimated|predicted|calculated|computed|provided|inferred|given)\b",
    r"\b(?:not|im)\s?possible to (?:determine|estimate|predict|give|provide|say)\b",
    r"\bas an? (?:ai|language model)\b",
    r"\b(?:not allowed|refuse|must decline|have to decline) to\b|\b(?:i|we) (?:must|have to) decline\b",
    r"\bi (?:won't|will not|don't know|do not know)\b",
    r"\bi (?:don't|do not) have (?:access|enough|sufficient|the (?:ability|information))\b",
    r"(?:\b(?:not|without|lacks?)|n't)\b[^.\n]{0,30}\b(?:enough|sufficient) (?:information|data|context)\b",
    r"\binsufficient (?:information|data|context)\b",
    r"\b(?:lo siento|no puedo|desculpe|n\u00e3o posso|d\u00e9sol\u00e9e?|ne peux pas)\b",
    r"\b(?:es tut mir leid|kann (?:ich )?nicht|mi dispiace)\b",
    r"\u62b1\u6b49|\u65e0\u6cd5|\u7533\u3057\u8a33|\b\u043d\u0435 \u043c\u043e\u0433\u0443\b",
)
_REFUSAL = re.compile("|".join(_REFUSALS), re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Whether a text, in plain characters, has words of refusal."""
    return _REFUSAL.search(text) is not None
