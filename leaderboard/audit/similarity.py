"""Images and compositions that are the same, or nearly, on both sides of a split."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import BaseModel

from ...benchmark.task import SPLITS, TaskData
from ...tasks.composition import parse_formula

# Nearly the same: grey levels differ by so little of the full scale; or by twice that, and few bits of the hash differ.
NEAR_PIXELS = 0.01
NEAR_BITS = 4
_SIDE = 32
_LISTED = 20
_ROWS_AT_ONCE = 256
_NOISE = 0.5 / 255  # standard deviation of grey levels below which an image shows nothing


class Pair(BaseModel):
    """Two images in different splits.

    Attributes:
        first: id of the row in the later split (holdout, or validation).
        second: id of the row that is learnt from, or watched.
        splits: their splits.
        bits: bits of 64 in which their perceptual hashes differ.
        pixels: root mean square difference of grey levels, as a share of the full scale.
        target_gap: difference of their targets, as a share of the range.
    """

    first: str
    second: str
    splits: tuple[str, str]
    bits: int
    pixels: float
    target_gap: float


class ImageAudit(BaseModel):
    """What is alike across splits.

    Attributes:
        exact: how many rows of validation and holdout have the very pixels of a row of an earlier split.
        near: how many have a near duplicate there, exact ones included.
        pairs: the closest pairs among those.
        nearest_median: median distance of a holdout image to its nearest training image, share of the full scale.
        nearest_among_train: the same of training images to the nearest other one.
        noise: ids of images that show nothing.
    """

    exact: int
    near: int
    pairs: list[Pair]
    nearest_median: float
    nearest_among_train: float
    noise: list[str]


class CompositionAudit(BaseModel):
    """What of the holdout was seen in training.

    Attributes:
        same_formula: holdout rows whose reduced composition a training row has.
        same_system: holdout rows whose set of elements a training row has.
        same_group: holdout rows whose group (see the dataset) a training row has.
        holdout: rows of the holdout.
    """

    same_formula: int
    same_system: int
    same_group: int
    holdout: int


def audit_images(data: TaskData) -> ImageAudit | None:
    """Compare every image of validation and holdout with those of earlier splits; None where there are no images."""
    if "image" not in data.inputs:
        return None
    data = data.only(["image"])
    ids = data.ids
    grey, pixels_hash = _read(data, ids)
    bits = _perceptual(grey)
    flat = grey.reshape(len(ids), -1)
    targets = data.targets(ids)
    span = float(np.ptp(targets)) or 1.0
    position = {sample_id: index for index, sample_id in enumerate(ids)}
    found: list[Pair] = []
    exact, near = set(), set()
    for later in SPLITS[1:]:
        for earlier in SPLITS[: SPLITS.index(later)]:
            rows, others = ([position[m] for m in data.splits[split]] for split in (later, earlier))
            for i, j, distance in _close(flat, rows, others):
                differ = int((bits[i] != bits[j]).sum())
                if distance > NEAR_PIXELS and differ > NEAR_BITS:
                    continue
                near.add(ids[i])
                if pixels_hash[i] == pixels_hash[j]:
                    exact.add(ids[i])
                gap = abs(targets[i] - targets[j]) / span
                pair = Pair(
                    first=ids[i],
                    second=ids[j],
                    splits=(later, earlier),
                    bits=differ,
                    pixels=round(distance, 5),
                    target_gap=round(float(gap), 4),
                )
                found.append(pair)
    train, holdout = ([position[m] for m in data.splits[split]] for split in ("train", "holdout"))
    return ImageAudit(
        exact=len(exact),
        near=len(near),
        pairs=sorted(found, key=lambda pair: pair.pixels)[:_LISTED],
        nearest_median=_median_nearest(flat, holdout, train),
        nearest_among_train=_median_nearest(flat, train, train),
        noise=[sample_id for sample_id, image in zip(ids, grey, strict=True) if image.std() < _NOISE],
    )


def audit_compositions(data: TaskData) -> CompositionAudit | None:
    """Compare the holdout's compositions with those of training; None where there are no formulas."""
    if "formula" not in data.inputs:
        return None
    rows = data.only(["formula"]).rows
    train = [_reduced(rows[sample_id]["formula"]) for sample_id in data.splits["train"]]
    formulas, systems = set(train), {frozenset(name for name, _ in formula) for formula in train}
    groups = {data.groups[sample_id] for sample_id in data.splits["train"]}
    holdout = {sample_id: _reduced(rows[sample_id]["formula"]) for sample_id in data.splits["holdout"]}
    return CompositionAudit(
        same_formula=sum(formula in formulas for formula in holdout.values()),
        same_system=sum(frozenset(name for name, _ in formula) in systems for formula in holdout.values()),
        same_group=sum(data.groups[sample_id] in groups for sample_id in holdout),
        holdout=len(holdout),
    )


def _read(data: TaskData, ids: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Grey images of 32 x 32, 0 to 1, and a hash of each image's own pixels."""
    from PIL import Image

    small, hashes = [], []
    rows = data.rows
    for sample_id in ids:
        with Image.open(io.BytesIO(rows[sample_id]["image"])) as image:
            whole = image.convert("RGB")
        hashes.append(hashlib.sha256(whole.tobytes() + str(whole.size).encode()).hexdigest())
        small.append(np.asarray(whole.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=float) / 255)
    return np.stack(small), hashes


def _perceptual(grey: np.ndarray) -> np.ndarray:
    """Signs of the 64 lowest frequencies about their median (Zauner, 2010), shape (n, 64)."""
    from scipy.fft import dctn

    low = dctn(grey, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(grey), 64)
    return low > np.median(low[:, 1:], axis=1, keepdims=True)


def _close(flat: np.ndarray, rows: Sequence[int], others: Sequence[int]) -> Iterator[tuple[int, int, float]]:
    """Pairs whose pixels are nearly the same, and their distance."""
    for block, distances in _distances(flat, rows, others):
        for i, j in zip(*np.nonzero(distances <= 2 * NEAR_PIXELS), strict=True):
            yield block[i], others[j], float(distances[i, j])


def _median_nearest(flat: np.ndarray, rows: Sequence[int], others: Sequence[int]) -> float:
    """Median over rows of the distance to the nearest other row."""
    nearest = []
    for block, distances in _distances(flat, rows, others):
        own = np.equal.outer(block, others)
        nearest += np.where(own, np.inf, distances).min(axis=1).tolist()
    return round(float(np.median(nearest)), 5)


def _distances(
    flat: np.ndarray, rows: Sequence[int], others: Sequence[int]
) -> Iterator[tuple[Sequence[int], np.ndarray]]:
    """Root mean square differences of a block of rows to all others."""
    from scipy.spatial.distance import cdist

    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        yield block, cdist(flat[block], flat[others]) / flat.shape[1] ** 0.5


def _reduced(formula: str) -> frozenset[tuple[str, float]]:
    """A composition as shares of its elements."""
    amounts = parse_formula(formula)
    total = sum(amounts.values())
    return frozenset((name, round(amount / total, 6)) for name, amount in amounts.items())
