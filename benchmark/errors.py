"""Errors that a user can act on. The command line prints their one sentence and exits non-zero."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EcdbenchError(Exception):
    """Something the user can fix; the message says what is wrong and what to do."""


class DataError(EcdbenchError):
    """A dataset is absent, changed, or not what it should be."""


class ServiceError(EcdbenchError):
    """A service on the network does not answer, or not now; the same command resumes later."""


class ModelError(EcdbenchError):
    """A model cannot be found, cannot be built, or does not behave as a predictor."""


class MissingExtraError(EcdbenchError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra `{extra}`: pip install 'ecdbench[{extra}]'.")
        self._given = what, extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:  # it may come from a worker process
        return type(self), self._given


def unknown_name(kind: str, name: str, known: Iterable[str], remedy: str) -> str:
    """A sentence for a name that is not among `known`, with the nearest ones."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    guess = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no {kind} '{name}'.{guess} {remedy}"


def extension_error(what: str, error: BaseException) -> DataError:
    """A sentence for something registered, as in "The metric 'x'", that raised an error."""
    return DataError(f"{what} failed ({type(error).__name__}: {error}); correct it, or uninstall its package.")
