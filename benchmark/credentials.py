"""Keys, tokens and passwords: never in a parameter, a file or a message."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import ModelError

# The last word of a name that means a credential, and words that do so wherever they stand.
_LAST_WORDS = {"key", "keys", "apikey", "token", "pass", "auth", "bearer"}
_WORDS = {"secret", "secrets", "password", "passwd", "passphrase", "authorization", "credential", "credentials"}
_SHORTEST = 8  # characters of a value that is taken for a credential
_HIDDEN = "[key]"
_remembered: set[str] = set()


def remember_credential(value: str) -> None:
    """Hide a credential that was read from elsewhere like those in environment variables."""
    _remembered.add(value)


def redact(text: str) -> str:
    """A text without the user's credentials: those in environment variables, and those that were read elsewhere."""
    for value in sorted(_known(), key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return text


def refuse_credentials(parameters: Mapping[str, Any]) -> None:
    """Parameters are published with a result, so none of them may be a credential, at any depth.

    Raises:
        ModelError: a name means a credential, or a text holds one; the value is not repeated.
    """
    known = _known()
    for name, value in _leaves(parameters, ""):
        if means_credential(name.rpartition(".")[2]) and isinstance(value, str | bytes):
            what = f"'{name}' is the name of a credential"
        elif isinstance(value, str) and any(one in value for one in known):
            what = f"'{name}' holds the value of a key of yours"
        else:
            continue
        raise ModelError(
            f"The parameter {what}, and parameters are published with the result. Leave it out, and read the key from "
            "an environment variable in the model."
        )


def means_credential(name: str) -> bool:
    """Whether a parameter, header or variable of this name would hold a credential, as in `apiKey` or `HF_TOKEN`."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())
    return bool(words) and (words[-1] in _LAST_WORDS or not _WORDS.isdisjoint(words))


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every value inside, by its path of names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            path = f"{name}.{key}" if name else str(key)
            yield from _leaves(inner, path)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _known() -> set[str]:
    found = {value.strip() for name, value in os.environ.items() if means_credential(name)} | _remembered
    hub = sys.modules.get("huggingface_hub")
    if hub is not None:
        found.add(hub.get_token() or "")
    return {
        value for value in found if len(value) >= _SHORTEST and not os.path.lexists(value)
    }  # a path to one is no secret
