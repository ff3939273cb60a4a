"""What a reply says to its reader: without the thoughts of the model, and up to the end of its turn."""

from __future__ import annotations

import re

from .plain_text import plain_characters

# Of a longer text the beginning and the end are read.
_LONGEST = 20_000
_THOUGHT = re.compile(
    r"\[(?P<slash>/?)THINK\]|"
    r"[<\u25c1](?P<close>/?)(?:[\w-]{1,20}:)?(?:\|?(?P<edge>(?i:begin|start|end))_(?:of_)?)?"
    r"(?i:think(?:ing)?|antthinking|(?:chain_of_|inner_)?thoughts?|cot|reason(?:ing)?|analysis|reflection|scratch_?pad|"
    r"(?:inner_)?monologue|plan(?:ning)?|details)\b[^<>\u25c1\u25b7\n]{0,100}[>\u25b7]"
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]{0,100}(?:<\|constrain\|>\s?\w*)?<\|message\|>([^<]*(?:<(?!\|)[^<]*)*)"
)
# Where a reply has ended: at a marker of the chat template, or where the model goes on with a question of its own.
_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|endoftext|end_of_text|end|return|start_header_id|user|assistant|system)\|>|</s>|<end_of_turn>|"
    r"<start_of_turn>|<eos>|\[/?INST\]|<\uff5cend\u2581of\u2581sentence\uff5c>|"
    r"^[ \t>*#\"]{0,9}(?:description|question|q|user|human|assistant|input|prompt|query|problem|instruction|next)"
    r"(?: ?\d{1,4})?\**\s?:|^What is the [^\n?]{3,200} of this crystal|"
    r"^### (?:instruction|human|user|input|question)\b",
    re.IGNORECASE | re.MULTILINE,
)
_TEMPLATE_START = re.compile(r"(?:\s*<\|[\w ]{1,40}\|>(?:assistant\b)?)*\s*")
_A_WORD = re.compile(r"\w")
_SPECIAL_TOKEN = re.compile(r"<\|[\w ]{1,40}\|>(?:assistant\b)?|<\uff5c[^\uff5c<>]{1,40}\uff5c>|</?s>|<bos>|\[/?INST\]")


def read_text(said: str) -> str:
    """The first turn of what a reply says, in plain characters; JSON in it is kept as it is."""
    if len(said) > _LONGEST:
        said = f"{said[: _LONGEST // 2]}\n{said[-_LONGEST // 2 :]}"
    return plain_characters(_first_turn(said)).strip()


def without_thoughts(text: str) -> str:
    """A reply without its thoughts, in tags that may lack the first or the last one or in channels."""
    if "<|channel|>" in text:
        return next((said for channel, said in reversed(_CHANNEL.findall(text)) if channel == "final"), "")
    text = text.strip()
    if text.startswith("analysis"):  # channels without their special tokens
        _, final, said = text.rpartition("assistantfinal")
        if final or text[len("analysis") :][:1].isupper():
            return said if final else ""
    kept: list[str] = []
    start, thinking = 0, False
    for tag in _THOUGHT.finditer(text):
        if tag["slash"] or tag["close"] or (tag["edge"] or "").lower() == "end":
            if not thinking:  # some chat templates drop the opening tag
                kept.clear()
            start, thinking = tag.end(), False
        elif not thinking:
            kept.append(text[start : tag.start()])
            thinking = True
    return " ".join(kept if thinking else [*kept, text[start:]])


def _first_turn(text: str) -> str:
    """A reply up to the end of the first turn in it."""
    start = _TEMPLATE_START.match(text)
    text = text[start.end() :] if start else text
    word = _A_WORD.search(text)
    end = _END.search(text, word.end()) if word else None
    return _SPECIAL_TOKEN.sub("", text[: end.start()] if end else text)
