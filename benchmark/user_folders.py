"""Where things are kept when nobody says where."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import EcdbenchError


def default_cache() -> Path:
    """Where finished fits are kept: `ECDBENCH_CACHE`, or a folder in the user's cache.

    Raises:
        EcdbenchError: the user has no home folder, as in a container.
    """
    named = os.environ.get("ECDBENCH_CACHE")
    return Path(named) if named else _user_cache()


def default_data_dir() -> Path:
    """Where datasets that are not packaged are: `ECDBENCH_DATA`, or `data` in the user's cache.

    Raises:
        EcdbenchError: the user has no home folder, and `ECDBENCH_CACHE` names none either.
    """
    if named := os.environ.get("ECDBENCH_DATA"):
        return Path(named)
    try:
        return _user_cache() / "data"
    except EcdbenchError:
        return default_cache() / "data"


def _user_cache() -> Path:
    import platformdirs

    try:
        return platformdirs.user_cache_path("ecdbench")
    except RuntimeError as error:  # an unknown user without HOME
        raise EcdbenchError(
            "You have no home folder here; set ECDBENCH_CACHE to a folder that can be written."
        ) from error
