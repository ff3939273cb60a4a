"""The ranges of hyper-parameters that a search covers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import ModelError
from .fit_processes.workplace import Workplace
from .model import Model
from .resolve import resolve

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Range:
    """The values of one parameter.

    Attributes:
        low: the smallest.
        high: the largest.
        step: between whole numbers; None for real ones.
        log: whether to search on a log scale.
    """

    low: float
    high: float
    step: int | None
    log: bool

    @classmethod
    def parse(cls, name: str, text: str) -> Range:
        """Read `LOW:HIGH:log` (real, log scale), `LOW:HIGH` (real) or `LOW:HIGH:STEP` (whole numbers).

        Raises:
            ModelError: it is something else.
        """
        low, high, how = (*text.split(":"), "", "", "")[:3]
        try:
            found = cls(float(low), float(high), int(how) if how not in ("", "log") else None, how == "log")
        except ValueError:
            found = cls(0, 0, None, False)
        whole = found.step is None or (found.step > 0 and found.low % 1 == 0 == found.high % 1)
        if found.step and whole:  # what the steps do not reach is left out
            found = replace(found, high=found.low + (found.high - found.low) // found.step * found.step)
        if text.count(":") > 2 or not found.low < found.high < math.inf or not whole or (found.log and found.low <= 0):
            raise ModelError(
                f"invalid range '{name}={text}': expected {name}=LOW:HIGH, LOW:HIGH:log, or LOW:HIGH:STEP for integers"
            )
        return found

    @property
    def middle(self) -> float | int:
        """A value in between, to test whether a model accepts it."""
        return self.low + 0.37 * (self.high - self.low) if self.step is None else int(self.low)

    def suggest(self, name: str, trial: optuna.Trial) -> float | int:
        """A value for a trial."""
        if self.step is not None:
            return trial.suggest_int(name, int(self.low), int(self.high), step=self.step)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


def search_ranges(model: Model, given: Mapping[str, str], place: Workplace | None = None) -> dict[str, Range]:
    """The ranges to search: those given, else those the model offers in its attribute `search`.

    Args:
        model: the model.
        given: by parameter, as `Range.parse` reads them.
        place: where its code is imported.

    Raises:
        ModelError: there are none, or a parameter is both fixed and searched.
    """
    texts = dict(given) or {name: text for name, text in model.search.items() if name not in model.parameters}
    if not texts:
        raise ModelError(f"{model.name} does not say what to search; give --search NAME=LOW:HIGH[:log], repeatable.")
    if both := [name for name in texts if name in model.parameters]:
        raise ModelError(f"{both[0]} is both set and searched; leave one out.")
    ranges = {name: Range.parse(name, text) for name, text in texts.items()}
    try:
        resolve(model.spec, {**model.parameters, **{name: found.middle for name, found in ranges.items()}}, place)
    except ModelError as error:
        raise ModelError(f"{error} (LOW:HIGH:STEP searches whole numbers.)") from error
    return ranges
