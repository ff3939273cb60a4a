"""Metrics: what a score is. They are registered in the entry-point group `ecdbench.metrics`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Literal

import numpy as np

from ..errors import DataError, extension_error
from ..registry import Registry

Kind = Literal["regression", "classification"]
# The metric that ranks the models of a task, by kind of its target, unless the target names another.
MAIN_METRIC: dict[str, str] = {"regression": "rmse", "classification": "log_loss"}


@dataclass(frozen=True)
class Sample:
    """Targets of some rows and what was predicted of them.

    Attributes:
        target: shape (n,); 0 or 1 for classification.
        prediction: shape (m, n), one row per seed; probabilities for classification. Failed predictions are replaced
            by the baseline.
        baseline: what the mean of the training targets predicts (for classification, the share of the class),
            shape (m, n).
        clusters: label of the group of each row, shape (n,); rows of one group are not independent.
        scale: range of the training targets.
        coverage: share of predictions that could be scored, 0 to 1.
        kind: kind of the target.
        deviation: standard deviations that the model states, shape (m, n); None where it states none.
    """

    target: np.ndarray
    prediction: np.ndarray
    baseline: np.ndarray
    clusters: np.ndarray
    scale: float = 1.0
    coverage: float = 1.0
    kind: Kind = "regression"
    deviation: np.ndarray | None = None

    def __post_init__(self) -> None:
        for values in (self.target, self.prediction, self.baseline, self.clusters, self.deviation):
            if values is not None:
                values.flags.writeable = False  # a metric that changed them would change all others

    def take(self, rows: np.ndarray) -> Sample:
        """Some of the rows, by index or mask; a row may be taken several times."""
        return replace(
            self,
            target=self.target[rows],
            prediction=self.prediction[:, rows],
            baseline=self.baseline[:, rows],
            clusters=self.clusters[rows],
            deviation=None if self.deviation is None else self.deviation[:, rows],
        )


def _itself(mean: np.ndarray) -> np.ndarray:
    return mean


def _nothing(sample: Sample) -> Sequence[np.ndarray]:
    return ()


@dataclass(frozen=True)
class Metric:
    """A score of predictions, given by `function`, by `loss`, or by `resampled`.

    Attributes:
        name: as in results, `rmse`.
        label: as in tables, `RMSE`.
        function: from a `Sample` to values of shape (m,), one per seed; NaN where the metric is undefined. It may be
            left out where there is `loss` or `resampled`.
        loss: for a metric that depends on predictions by the mean of a loss only: from a `Sample` to the loss of each
            row, at least 0, shape (m, n). Intervals and tests of such a metric are fast and the best calibrated.
        of_means: the metric from the mean loss and the means of `others`, NaN where it is undefined.
        others: what else `of_means` needs the mean of, from a `Sample` to arrays of shape (n,) or (m, n) that depend on
            targets and baseline only.
        unit: `target` for the unit of the target; otherwise the unit itself, empty for a pure number.
        direction: whether `lower` or `higher` values are better.
        kinds: kinds of target that it can score.
        resampled: from a `Sample` and counts of shape (b, n), how often each row occurs in each of b resamples, to
            values of shape (m, b). Without it and `loss`, `function` is called once per resample.
        help: one line for readers of a table.
        prominent: whether narrow tables show it.
        needs_deviation: whether it scores the standard deviations that a model states; models that state none do not
            have it.
        order: position in tables, ascending.
    """

    name: str
    label: str
    function: Callable[[Sample], np.ndarray] | None = field(default=None, repr=False)
    loss: Callable[[Sample], np.ndarray] | None = field(default=None, repr=False)
    of_means: Callable[..., np.ndarray] = field(default=_itself, repr=False)
    others: Callable[[Sample], Sequence[np.ndarray]] = field(default=_nothing, repr=False)
    unit: str = ""
    direction: Literal["lower", "higher"] = "lower"
    kinds: tuple[Kind, ...] = ("regression",)
    resampled: Callable[[Sample, np.ndarray], np.ndarray] | None = field(default=None, repr=False)
    help: str = ""
    prominent: bool = True
    needs_deviation: bool = False
    order: int = 100

    def __post_init__(self) -> None:
        if self.function is None and self.resampled is None and self.loss is None:
            raise ValueError(f"the metric {self.name} needs a function")
        if self.direction not in ("lower", "higher"):
            raise ValueError(f"direction must be lower or higher (got {self.direction!r})")
        if not isinstance(self.kinds, tuple) or not set(self.kinds) <= set(MAIN_METRIC):
            raise ValueError(f"kinds must be a tuple of {', '.join(MAIN_METRIC)} (got {self.kinds!r})")

    def rows(self, sample: Sample) -> list[np.ndarray]:
        """The loss and the others of each row, each of shape (m, n).

        Raises:
            DataError: the loss failed, or is no number that is at least 0.
        """
        assert self.loss is not None
        losses = self._checked(self.loss, sample, shape=sample.prediction.shape)
        if not (losses >= 0).all():
            raise DataError(f"The loss of the metric '{self.name}' must be at least 0; correct it, or uninstall it.")
        return [losses, *(np.broadcast_to(one, losses.shape) for one in self.others(sample))]

    def values(self, sample: Sample) -> np.ndarray:
        """The metric of each seed, shape (m,); NaN where it is undefined.

        Raises:
            DataError: the function of the metric failed, or returned something else.
        """
        if self.function is None:
            return self.on_resamples(sample, np.ones((1, len(sample.target))))[:, 0]
        return self._checked(self.function, sample, shape=(len(sample.prediction),))

    def on_resamples(self, sample: Sample, counts: np.ndarray) -> np.ndarray:
        """The metric of each seed on resamples, shape (m, b).

        Args:
            sample: targets and predictions.
            counts: how often each row occurs in each resample, shape (b, n).

        Raises:
            DataError: as `values`.
        """
        if self.loss is not None:
            total = counts.sum(axis=1)
            return self.of_means(*(rows @ counts.T / total for rows in self.rows(sample)))
        if self.resampled is not None:
            return self._checked(self.resampled, sample, counts, shape=(len(sample.prediction), len(counts)))
        rows = np.arange(len(sample.target))
        drawn = (np.repeat(rows, one) for one in counts.astype(int))
        return np.stack([self.values(sample.take(index)) for index in drawn], axis=1)

    def _checked(self, function: Callable[..., np.ndarray], *given: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            found = np.asarray(function(*given), dtype=float)
        except Exception as error:
            raise extension_error(f"The metric '{self.name}'", error) from error
        if found.shape != shape:
            raise DataError(
                f"The metric '{self.name}' returned shape {found.shape}, not {shape}: one value per seed; correct it, "
                "or uninstall its package."
            )
        return found

    def heading(self, unit: str) -> str:
        """The label with its unit, as in `RMSE (GPa)`; `unit` is that of the target."""
        shown = unit if self.unit == "target" else self.unit
        return f"{self.label} ({shown})" if shown else self.label

    def better(self, one: float, other: float) -> bool:
        """Whether a value is better than another."""
        return one < other if self.direction == "lower" else one > other


METRICS: Registry[Metric] = Registry("ecdbench.metrics", "metric", Metric, attrgetter("name"))


def metrics_for(kind: str, deviations: bool = False) -> dict[str, Metric]:
    """The registered metrics of a kind of target by name, in the order of tables.

    Args:
        kind: kind of the target.
        deviations: whether there are standard deviations to score, too.
    """
    return {
        name: metric
        for name, metric in METRICS.all().items()
        if kind in metric.kinds and (deviations or not metric.needs_deviation)
    }
