"""10,000 resamples of RMSE, R2 and MAE for n = 120 (bootstrap-t) against scipy.stats.bootstrap (percentiles)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ecdbench.benchmark import bootstrap
from ecdbench.benchmark.metrics import METRICS, Sample
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from timing import best_of

N, RESAMPLES = 120, 10_000


def main() -> None:
    """Print ours, first and repeated, against scipy with plain, numpy and vectorised statistics."""
    generator = np.random.default_rng(0)
    target = generator.normal(100, 15, N)
    prediction = target + generator.normal(0, 6, N)
    sample = Sample(target, prediction[None], np.full((1, N), target.mean()), np.arange(N))
    plain = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}
    vectorised = {
        "rmse": lambda y, p, axis=-1: np.sqrt(((y - p) ** 2).mean(axis)),
        "mae": lambda y, p, axis=-1: np.abs(y - p).mean(axis),
        "r2": lambda y, p, axis=-1: 1 - ((y - p) ** 2).sum(axis) / ((y - y.mean(axis, keepdims=True)) ** 2).sum(axis),
    }
    metrics = {name: METRICS.get(name) for name in plain}

    def ours() -> None:
        bootstrap.intervals(sample, metrics, resamples=RESAMPLES)

    def first() -> None:
        bootstrap._chunk_of_counts.cache_clear()
        ours()

    def scipy(statistics: dict[str, Callable], vectorized: bool) -> None:
        for statistic in statistics.values():
            stats.bootstrap(
                (target, prediction), statistic, paired=True, vectorized=vectorized,
                n_resamples=RESAMPLES, method="percentile", rng=0,
            )  # fmt: skip

    own = {"first model on a task": best_of(first, 5), "every further model": best_of(ours, 20)}
    theirs = {
        "scikit-learn metrics": best_of(lambda: scipy(plain, False), 1),
        "numpy functions": best_of(lambda: scipy(vectorised, False), 2),
        "vectorised numpy functions": best_of(lambda: scipy(vectorised, True), 5),
    }
    for what, time_ours in own.items():
        for how, time_theirs in theirs.items():
            print(
                f"{what}: {time_ours * 1e3:.1f} ms; scipy.stats.bootstrap, {how}: {time_theirs * 1e3:.0f} ms; "
                f"ratio {time_theirs / time_ours:.0f} (at least 20)"
            )


if __name__ == "__main__":
    main()
