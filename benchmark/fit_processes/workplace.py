"""What every place where fits are made can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from ..fitting import FitAnswer, FitJob
from ..model import Model, Origin
from ..predictor import RunContext
from .trace import Trace


class Workplace(Protocol):
    """A place where fits are made."""

    @property
    def isolation(self) -> str:
        """What a result says of it: `none`, `process` or `full`."""
        ...

    def prepare(self) -> None:
        """Start what takes a while, so that other things can be done meanwhile."""
        ...

    def describe(self, origin: Origin) -> Model:
        """What a model says of itself, without its origin.

        Raises:
            ModelError: it cannot be found, imported or built.
        """
        ...

    def fit(self, model: Model, job: FitJob, context: RunContext) -> tuple[FitAnswer, Trace]:
        """Fit and predict; with what the fit has read and loaded.

        Raises:
            ModelError: the predictor raised, ended its process, or returned something other than predictions.
        """
        ...

    def preview(self, model: Model, job: FitJob, context: RunContext) -> Iterator[dict[str, Any]]:
        """Every request of a fit; nothing is sent."""
        ...
