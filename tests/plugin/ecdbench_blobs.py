"""What another package can add to ecdbench without a change to it: a dataset of 3-D arrays with a number and a binary
property to predict, an input, a model, a metric and a protocol. The data are synthetic: Gaussian blobs in a box."""

import numpy as np
from ecdbench.benchmark.columns import Column
from ecdbench.benchmark.metrics import Metric
from ecdbench.benchmark.protocols import Fit, Protocol
from ecdbench.benchmark.task import Target
from ecdbench.tasks.datasets import DatasetFacts
from ecdbench.tasks.datasets.table import TableDefinition
from ecdbench.tasks.splits import hashed_fold, hashed_split
from ecdbench.tasks.standard_inputs import ArrayInput

SIDE, ROWS = 6, 120
IDS = [f"blob-{number}" for number in range(ROWS)]

WIDTH = Target("width", "A", "width of the blob")
IS_WIDE = Target("is_wide", "", "whether the blob is wider than 1 A", "classification")
FACTS = DatasetFacts(
    id="blobs",
    title="Gaussian blobs of random widths (synthetic)",
    columns=(
        Column("id", "string", "id"),
        Column("blob", "array", "input", (SIDE, SIDE, SIDE), "e/A^3", "density on a grid"),
        WIDTH.column(),
        IS_WIDE.column("boolean"),
        Column("split_official", "string", "split"),
        Column("fold_official", "integer", "fold"),
        Column("group", "string", "group"),
    ),
    targets=(WIDTH, IS_WIDE),
    group="the blob itself",
    provenance="synthetic",
    license="CC0-1.0",
    citation="none",
)


def widths() -> np.ndarray:
    """Widths of the blobs, A, shape (ROWS,)."""
    return np.random.default_rng(0).uniform(0.5, 1.5, ROWS)


def blob(width: float, seed: int) -> np.ndarray:
    """A noisy Gaussian at the centre of the box."""
    axis = np.linspace(-2, 2, SIDE)
    squared = sum(np.square(part) for part in np.meshgrid(axis, axis, axis))
    noise = np.random.default_rng(seed).normal(0, 0.1, (SIDE, SIDE, SIDE))
    return (np.exp(-squared / (2 * width**2)) + noise).astype(np.float32)


def cells(column: str) -> dict:
    """The cells of a column by id."""
    make = {
        "id": lambda number: IDS[number],
        "blob": lambda number: blob(widths()[number], number),
        "width": lambda number: float(widths()[number]),
        "is_wide": lambda number: bool(widths()[number] > 1),
        "split_official": lambda number: hashed_split(IDS[number]),
        "fold_official": lambda number: hashed_fold(IDS[number]),
        "group": lambda number: IDS[number],
    }[column]
    return {sample_id: make(number) for number, sample_id in enumerate(IDS)}


DATASET = TableDefinition(FACTS, cells)


class VolumeInput(ArrayInput):
    """The density on a grid, e/A^3, shape (n, n, n)."""

    name = "blob"
    label = "3-D density"
    probe = "blob"
    blank_probe = "blank blob"
    order = 25


class ProfileRidge:
    """Ridge regression on the density along each axis.

    Args:
        penalty: of the squared weights.
    """

    inputs = ("blob",)

    def __init__(self, penalty: float = 1e-3) -> None:
        self.penalty = penalty

    def fit(self, train, validation, context) -> None:
        """Solve the normal equations."""
        self._binary = context.kind == "classification"
        x, y = self._features(train), np.asarray(train["target"])
        self._weights = np.linalg.solve(x.T @ x + self.penalty * np.eye(x.shape[1]), x.T @ y)

    def predict(self, data) -> np.ndarray:
        """Predict, shape (n,)."""
        values = self._features(data) @ self._weights
        return np.clip(values, 0, 1) if self._binary else values

    def _features(self, data) -> np.ndarray:
        volumes = np.stack(data["blob"])
        sums = [volumes.sum(axis=axes) for axes in ((2, 3), (1, 3), (1, 2))]
        return np.concatenate([*sums, np.ones((len(volumes), 1))], axis=1)


MAX_ERROR = Metric(
    "max_error",
    "max error",
    lambda sample: np.abs(sample.prediction - sample.target).max(axis=1),
    unit="target",
    kinds=("regression", "classification"),
    help="largest error",
)


class Halving(Protocol):
    """Learn from half of the training rows, then from all of them; the holdout ranks."""

    name = "halving"
    help = "half of the training rows, then all"
    main_split = "holdout"

    def fits(self, data) -> list[Fit]:
        """Two fits."""
        train, validation, holdout = (data.splits[name] for name in ("train", "validation", "holdout"))
        return [
            Fit(0, train[: len(train) // 2], validation, {"holdout": holdout}, 0.5),
            Fit(0, train, validation, {"holdout": holdout}),
        ]
