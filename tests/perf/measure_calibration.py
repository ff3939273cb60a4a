"""What the tests and intervals of the board keep of what they promise, in simulated tables of 16 models.

Errors of the models share half of their variance: between the accepted entries on `k_vrh` and `sfe` the median
correlation of errors is 0.5 to 0.7. Tails are normal, Student's t with 4 degrees of freedom (squared errors of
infinite variance), or of both kinds in one table; all models have the same expected squared error. For each setting:
the share of tables with any false difference (the family-wise error), the same for independent errors where tails are
mixed, which is harder, and for the paired bootstrap with a normal test and Holm's correction; and the share of true
differences found where one model is better than 15 others, beside the bootstrap's. Then how often 95 % intervals
cover the truth. Every number is followed by two standard errors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from ecdbench.benchmark.bootstrap import intervals
from ecdbench.benchmark.metrics import METRICS, Sample
from ecdbench.benchmark.signflip import sign_flip_test
from scipy import stats

MODELS, FLIPS, RESAMPLES = 16, 1000, 1000
SAMPLES = (12, 21, 32, 116, 156, 600)
TAILS = ("normal", "t4", "half")
# How much worse 15 models are than the first, so that about half of the differences are found.
WORSE = {116: 1.35, 156: 1.3, 600: 1.14}


def main(tables: int = 1000) -> None:
    """Print family-wise errors and power, and then the coverage of intervals."""
    random = np.random.default_rng(0)
    print(f"any difference found among {MODELS} equal models, {tables} tables each (5 % promised)")
    for samples in SAMPLES:
        for clusters in (1, 2):
            for tails in TAILS:
                _print_errors(random, samples, clusters, tails, tables)
    print("share of 15 true differences found")
    for samples, factor in WORSE.items():
        for tails in TAILS:
            _print_power(random, samples, tails, factor, tables // 2)
    print("share of 95 % intervals that hold the true value")
    for samples in (21, 32, 116, 600):
        for tails in TAILS[:2]:
            _print_coverage(random, samples, tails, 2 * tables)


def _print_errors(random: np.random.Generator, samples: int, clusters: int, tails: str, tables: int) -> None:
    found = [
        bool((sign_flip_test(losses, FLIPS).p_values < 0.05).any())
        for losses in _losses(random, samples, tails, 0.5, tables, clusters)
    ]
    beside = ""
    if tails == "half":
        independent = [
            bool((sign_flip_test(losses, FLIPS).p_values < 0.05).any())
            for losses in _losses(random, samples, tails, 0.0, tables, clusters)
        ]
        beside = f"; independent errors {_share(independent)}"
    if tails == "normal" and clusters == 1:
        before = [
            bool((_bootstrap(losses, random) < 0.05).any())
            for losses in _losses(random, samples, tails, 0.5, tables // 4)
        ]
        beside = f"; bootstrap and Holm {_share(before)}"
    kind = "singles" if clusters == 1 else "pairs"
    print(f"n = {samples}, {tails}, {kind}: {_share(found)}{beside}", flush=True)


def _print_power(random: np.random.Generator, samples: int, tails: str, factor: float, tables: int) -> None:
    ours, theirs = [], []
    for losses in _losses(random, samples, tails, 0.5, tables):
        losses[1:] *= factor**2
        ours.append((sign_flip_test(losses, FLIPS).p_values[0, 1:] < 0.05).mean())
        theirs.append((_bootstrap(losses, random)[0, 1:] < 0.05).mean())
    print(
        f"n = {samples}, {tails}, RMSE {factor - 1:.0%} higher: {_mean(ours)}; bootstrap and Holm {_mean(theirs)}; "
        f"ratio {np.mean(ours) / np.mean(theirs):.2f}",
        flush=True,
    )


def _print_coverage(random: np.random.Generator, samples: int, tails: str, tables: int) -> None:
    """Errors of variance 1 on targets of variance 4."""
    mean_error = np.sqrt(2 / np.pi) if tails == "normal" else stats.t(4).expect(np.abs) / np.sqrt(2)
    truth = {"rmse": 1.0, "r2": 0.75, "mae": mean_error}
    metrics = {name: METRICS.get(name) for name in truth}
    hits: dict[str, list[bool]] = {name: [] for name in truth}
    for error in _errors(random, 1, samples, tails, 0.0, tables):
        target = random.normal(0, 2, samples)
        sample = Sample(target, target + error, np.zeros((1, samples)), np.arange(samples))
        for name, bounds in intervals(sample, metrics, RESAMPLES).items():
            hits[name].append(bounds is not None and bounds[0] <= truth[name] <= bounds[1])
    found = ", ".join(f"{METRICS.get(name).label} {_share(values)}" for name, values in hits.items())
    print(f"n = {samples}, {tails}: {found}", flush=True)


def _losses(
    random: np.random.Generator, samples: int, tails: str, shared: float, tables: int, size: int = 1
) -> Iterator[np.ndarray]:
    """Squared errors summed over clusters of a size, which share their sign and half of their variance."""
    for errors in _errors(random, MODELS, samples, tails, shared, tables):
        if size == 1:
            yield errors**2
            continue
        whole = errors[:, : samples // size * size].reshape(MODELS, -1, size)
        yield (whole**2).sum(axis=2)


def _errors(
    random: np.random.Generator, models: int, samples: int, tails: str, shared: float, tables: int
) -> Iterator[np.ndarray]:
    for _ in range(tables):
        own = random.normal(size=(models, samples))
        if tails != "normal":
            heavy = slice(None) if tails == "t4" else slice(0, None, 2)
            own[heavy] = random.standard_t(4, size=own[heavy].shape) / np.sqrt(2)
        yield np.sqrt(1 - shared) * own + np.sqrt(shared) * random.normal(size=samples)


def _bootstrap(losses: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """P-values of all pairs as version 0.1 had them: a normal test of RMSE differences, standard errors from a paired
    bootstrap, Holm's correction."""
    clusters = losses.shape[1]
    draws = np.sqrt(losses @ random.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES).T / clusters)
    one, other = np.triu_indices(len(losses), 1)
    rmse = np.sqrt(losses.mean(axis=1))
    errors = (draws[one] - draws[other]).std(axis=1, ddof=1)
    raw = 2 * stats.norm.sf(np.abs(rmse[one] - rmse[other]) / errors)
    order = np.argsort(raw)
    corrected = np.ones((len(losses), len(losses)))
    steps = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)), 1)
    corrected[one[order], other[order]] = steps
    return np.minimum(corrected, corrected.T)


def _share(found: list[bool]) -> str:
    share = np.mean(found)
    return f"{share:.1%} +- {2 * np.sqrt(share * (1 - share) / len(found)):.1%}"


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.1%} +- {2 * np.std(values) / np.sqrt(len(values)):.1%}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
