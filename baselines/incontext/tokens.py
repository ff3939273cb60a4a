"""Tokens of a request, estimated before anybody has counted them."""

from __future__ import annotations

from typing import Any

_CHARACTERS_PER_TOKEN = 4
_PER_MESSAGE = 4
_PER_IMAGE = 255  # one tile of 512 x 512, as OpenAI counts it; others take 64 to 1,200


def estimate_tokens(messages: list[dict[str, Any]]) -> int:
    """About how many tokens some messages have: four characters each, and 255 for an image."""
    tokens = 0
    for message in messages:
        parts = message["content"]
        texts = [parts] if isinstance(parts, str) else [part.get("text", "") for part in parts]
        images = 0 if isinstance(parts, str) else sum(part["type"] == "image_url" for part in parts)
        tokens += _PER_MESSAGE + images * _PER_IMAGE + sum(len(text) for text in texts) // _CHARACTERS_PER_TOKEN
    return tokens
