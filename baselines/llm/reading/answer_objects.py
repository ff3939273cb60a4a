"""Which JSON object of a reply is its answer, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .json_objects import FoundObject, Node, find_objects

NO_ANSWER = ""
_ANSWER_KEYS = (
    "value",
    "answer",
    "final answer",
    "prediction",
    "predicted value",
    "estimate",
    "estimated value",
    "result",
)
# What an answer is wrapped in, and how a value is called within the value.
_WRAPPERS = ("response", "output", "final", "data", "arguments", "parameters", "predictions", "results", "answers")
_AMOUNTS = ("number", "amount", "magnitude", "mean", "median", "best", "central")
_UNITS = ("unit", "units")
_DECLINED = re.compile(r"(?:null|none|nan|n/?a|unknown|undefined|true|false|[-+]?inf(?:inity)?|[-?]*)", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"[-+\u2212\u2013]?\s*[\d.,]+(?:[eE][-+\u2212]?\d+)?")
_NO_UNIT = ("", "null", "none", "dimensionless", "1")


class AnswerKeys:
    """The keys under which the objects of replies may give the value of a target.

    Args:
        target: its name; without it a sole number counts under any name.
        description: what it is, whose first words are a name, too, as in `bulk modulus (Voigt-Reuss-Hill average)`.
        is_probability: the probability that it is true is asked for.
    """

    def __init__(self, target: str = "", description: str = "", is_probability: bool = False) -> None:
        self.about = f"{target} {description}".strip()
        self._names = (
            *_ANSWER_KEYS,
            *(("probability",) if is_probability else ()),
            *([_words(target)] if target else []),
        )
        self._target_words = set(_words(target).split())
        self._phrase = _words(re.split(r"[(,;]", description)[0])

    def read(self, text: str, only_whole: bool = False) -> tuple[str | None, str]:
        """The text of the value in the last object that has one, and the text without its objects.

        The first is `NO_ANSWER` where that object declines, where it holds several numbers, or where two objects say
        different things and there is no word between them; None where no object has a value.

        Args:
            text: what a reply says.
            only_whole: pass over objects without a closing brace.
        """
        objects = list(find_objects(text))
        if not objects and '{\\"' in text:  # JSON in a JSON string
            text = text.replace('\\"', '"')
            objects = list(find_objects(text))
        rest = _without(text, objects)
        answers = [(found, self._text(found.content)) for found in objects if found.is_whole or not only_whole]
        said = [(found, answer) for found, answer in answers if answer is not None and not _is_placeholder(answer)]
        if not said:
            names_known = bool(self.about)
            return None, rest if names_known else "\n".join([rest, *(_sole_member(found.content) for found in objects)])
        last, answer = said[-1]
        for earlier, other in said[-2:-1]:
            if other != answer and not re.search(r"\w", text[earlier.end : last.start]):
                return NO_ANSWER, rest
        return (NO_ANSWER if _DECLINED.fullmatch(answer) else answer), rest

    def _text(self, content: dict[str, Node]) -> str | None:
        """The value of an object as text, with its unit; None if it has none."""
        named = {_words(key): key for key in reversed(content)}
        for name in self._names:
            if name in named:
                return self._value(content, named[name])
        for key in content:
            if (found := self._own_name(key)) is not None:
                return self._value(content, key, found)
        for wrapper in _WRAPPERS:
            if wrapper in named:
                inner = content[named[wrapper]]
                texts = [found for part in _objects_in(inner) if (found := self._text(part)) is not None]
                if texts:
                    return texts[0] if len(set(texts)) == 1 else NO_ANSWER
        return None

    def _own_name(self, key: str) -> str | None:
        """The unit in a key that names the target, as in `bulk_modulus_GPa`; None if it does not."""
        words = re.findall(r"[^\W_]+(?:[/^][^\W_]+)*", key)
        for kept in (len(words), len(words) - 1):
            name = " ".join(words[:kept]).lower()
            if name in self._names or (kept > 1 and self._is_phrase(name)):
                return " ".join(words[kept:])
        return None

    def _is_phrase(self, name: str) -> bool:
        """Whether a name of several words begins the description, or adds words of the target's name to it."""
        if f"{self._phrase} ".startswith(f"{name} "):
            return True
        added = name.removeprefix(f"{self._phrase} ")
        return bool(self._phrase) and added != name and set(added.split()) <= self._target_words

    def _value(self, content: dict[str, Node], key: str, unit: str = "") -> str:
        """A member as text, with its unit; `NO_ANSWER` if it is several numbers."""
        node = content[key]
        while isinstance(node, list):
            if len(node) != 1:
                return NO_ANSWER
            node = node[0]
        if isinstance(node, dict):
            named = {_words(name): name for name in reversed(node)}
            inner = next((named[name] for name in (*self._names, *_AMOUNTS) if name in named), None)
            numbers = [name for name, part in node.items() if isinstance(part, str) and _PLAIN_NUMBER.fullmatch(part)]
            inner = inner or (numbers[0] if len(numbers) == 1 else None)
            return NO_ANSWER if inner is None else self._value(node, inner, unit)
        text = re.sub(r"^([-\u2212\u2013])\s+", r"\1", node.strip())
        unit = unit or _unit_of(content)
        return f"{text} {unit}" if unit.lower() not in _NO_UNIT and _PLAIN_NUMBER.fullmatch(text) else text


def _unit_of(content: dict[str, Node]) -> str:
    stated = next((content[name] for name in content if _words(name) in _UNITS), "")
    return stated if isinstance(stated, str) else ""


def _sole_member(content: dict[str, Node]) -> str:
    """The only member of an object beside its unit, with its name, as a line of text."""
    keys = [key for key in content if _words(key) not in _UNITS]
    node = content[keys[0]] if len(keys) == 1 else None
    return f"{_words(keys[0])}: {node} {_unit_of(content)}" if isinstance(node, str) else ""


def _words(key: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", key.lower()))


def _is_placeholder(answer: str) -> bool:
    """Whether it is the form of an answer, as in {"value": NUMBER}."""
    return not re.search(r"\d", answer) and not _DECLINED.fullmatch(answer)


def _objects_in(node: Node) -> Iterator[dict[str, Node]]:
    if isinstance(node, dict):
        yield node
    elif isinstance(node, list):
        yield from (part for part in node if isinstance(part, dict))
    else:
        yield from (found.content for found in find_objects(node))


def _without(text: str, objects: list[FoundObject]) -> str:
    """A text without its objects; braces around words without quotes are none."""
    kept, start = [], 0
    for found in objects:
        if re.match(r"\{\s*[\"']", text[found.start : found.start + 10]):
            kept.append(text[start : found.start])
            start = found.end
    return "\n".join([*kept, text[start:]])
