"""Where requests go, and the key that goes with them."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ...benchmark.errors import ModelError

DEFAULT = "https://api.openai.com/v1"
NO_KEY = "none"  # the client wants a word


def endpoint_url(base_url: str | None) -> str:
    """Where requests go: as given, or `OPENAI_BASE_URL`, or OpenAI.

    Raises:
        ModelError: it is no http address, or holds a password.
    """
    url = os.environ.get("OPENAI_BASE_URL") or DEFAULT if base_url is None else str(base_url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    is_clean = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_clean:
        raise ModelError("base_url is no address; write it as in base_url=http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ModelError("base_url holds more than an address; give a key through the variable that api_key_env names.")
    return url.rstrip("/")


def read_key(variable: str, endpoint: str) -> str:
    """The key in an environment variable; a word that stands for none where an endpoint may need no key.

    Raises:
        ModelError: OpenAI needs one and there is none, or it cannot be a key.
    """
    key = os.environ.get(variable, "").strip()
    if not key and endpoint == DEFAULT:
        raise ModelError(
            f"{variable} holds no key; set it to your key for {endpoint}, or ask another endpoint (--set base_url=...)."
        )
    if not key.isprintable() or not key.isascii() or " " in key:
        raise ModelError(f"What {variable} holds is no key: it has blanks or letters that no key has.")
    return key or NO_KEY
