"""Figures of a dataset: distributions of its targets, and galleries of its slices."""

from __future__ import annotations

import hashlib
import heapq
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.storage import write_atomically
from ..density.views import picture_of, view_columns
from .blueprint import Blueprint
from .summary import Summary

_ACROSS, _DOWN = 6, 4
_BINS = 30


def draw_distributions(out: Path, blueprint: Blueprint, summary: Summary) -> None:
    """Histograms of the targets by number of elements, as `distributions.png` (Figure 6 of arXiv 2401.09301)."""
    from matplotlib.figure import Figure

    targets = blueprint.facts.targets
    rows = math.ceil(len(targets) / 2)
    # Margins are explicit: an automatic layout differs in the last digits from run to run.
    figure = Figure(figsize=(9, 3 * rows))
    figure.subplots_adjust(
        left=0.08, right=0.98, bottom=0.55 / (3 * rows), top=1 - 0.15 / (3 * rows), wspace=0.22, hspace=0.3
    )
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    elements = np.array(summary.n_elements)
    for axis, target in zip(axes, targets, strict=False):
        values = np.array(summary.values[target.name])
        counts = [count for count in np.unique(elements) if (~np.isnan(values[elements == count])).any()]
        groups = [values[(elements == count) & ~np.isnan(values)] for count in counts]
        if groups:
            labels = [f"{count} element{'s' if count > 1 else ''}" for count in counts]
            axis.hist(groups, bins=_BINS, stacked=True, label=labels)
            axis.legend(fontsize="small")
        axis.set_xlabel(f"{target.name} ({target.unit})" if target.unit else target.name)
        axis.set_ylabel("crystals")
    for axis in axes[len(targets) :]:
        axis.set_visible(False)
    _save(figure, out / "distributions.png")


class Gallery:
    """Picks two dozen slices per channel for display, independent of the order of rows; noise is skipped."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._chosen: dict[str, list[tuple[int, str, str, dict[str, Any]]]] = {channel: [] for channel in channels}

    def add(self, row: Mapping[str, Any]) -> None:
        """Consider a row. A hash of its id decides, so an added row displaces at most one other."""
        rank = -int.from_bytes(hashlib.sha256(row["id"].encode()).digest()[:8], "big")
        for channel, chosen in self._chosen.items():
            if not row[f"is_noise_{channel}"]:
                push = heapq.heappush if len(chosen) < _ACROSS * _DOWN else heapq.heappushpop
                cells = {name: row[name] for name in view_columns(row, channel, in_plane=True)}
                push(chosen, (rank, row["id"], row["formula"], cells))

    def draw(self, out: Path) -> None:
        """Write `gallery_<channel>.png` for each channel that has a slice to show (Figures 2 and 3 of the paper)."""
        for channel, chosen in self._chosen.items():
            path = out / f"gallery_{channel}.png"
            if chosen:
                _save(_sheet(sorted(chosen, key=lambda entry: entry[1])), path)


def _sheet(chosen: Sequence[tuple[int, str, str, Mapping[str, Any]]]) -> Any:
    from matplotlib.figure import Figure
    from PIL import Image

    rows = math.ceil(len(chosen) / _ACROSS)
    figure = Figure(figsize=(1.5 * _ACROSS, 1.8 * rows))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02 / rows, top=1 - 0.22 / rows, wspace=0.06, hspace=0.28)
    axes = figure.subplots(rows, _ACROSS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (_, sample_id, formula, cells) in zip(axes, chosen, strict=False):
        axis.imshow(np.asarray(Image.open(io.BytesIO(picture_of(cells)))))
        axis.set_title(f"{formula}\n{sample_id}", fontsize=7)
    return figure


def _save(figure: Any, path: Path) -> None:
    # Without the software version, the same rows give the same bytes.
    write_atomically(path, lambda p: figure.savefig(p, format="png", dpi=100, metadata={"Software": None}))
