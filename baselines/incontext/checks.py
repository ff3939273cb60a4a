"""Checks of the parameters of `in-context`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...benchmark.errors import ModelError

# Fields of a request that are ours, or that change what an answer is.
_OURS = ("messages", "model", "n", "stream", "max_tokens", "max_completion_tokens", "temperature", "seed",
         "response_format")  # fmt: skip
_LONGEST_TEXT = 1000


def require_texts(**texts: Any) -> None:
    """Check for texts that can be sent and written; a number counts as one, None as not given.

    Raises:
        ModelError: one is something else.
    """
    for name, value in texts.items():
        is_text = value is None and name == "base_url"
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value)
            is_text = len(text) <= _LONGEST_TEXT and "\0" not in text and not re.search("[\ud800-\udfff]", text)
        if not is_text:
            raise ModelError(f"{name}={value!r:.60} makes no sense; give a name or an address.")


def require_variable(name: Any) -> None:
    """Check for the name of an environment variable; what is given is not repeated, since it may be a key.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise ModelError("api_key_env is no name of a variable; it says which variable holds the key, not the key.")


def require_temperature(temperature: Any, samples: int) -> None:
    """Check for a temperature from 0 to 2, above 0 where there are several samples, or None.

    Raises:
        ModelError: it is something else.
    """
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if temperature is not None and not (is_number and 0 <= temperature <= 2):
        raise ModelError(f"temperature={temperature!r:.60} makes no sense; give a number from 0 to 2, or null.")
    if samples > 1 and temperature == 0:
        raise ModelError(f"samples={samples} at temperature 0 are one and the same; set temperature, as in 0.7.")


def extra_fields(extra: Any) -> dict[str, Any]:
    """Further fields of a request.

    Raises:
        ModelError: they are no JSON object, or there is a parameter for one of them.
    """
    fields = {} if extra is None else extra
    try:
        json.dumps(fields, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        fields = None
    if not isinstance(fields, Mapping) or set(_OURS) & set(fields):
        raise ModelError(f"extra is a JSON object of further request fields, none of {', '.join(_OURS)}.")
    return dict(fields)
