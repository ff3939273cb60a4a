"""The whole audit of a task, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from ..load import load_task
from .floors import LOOKUPS, Floor, Progress, audit_floors
from .images import NEAR_BITS, NEAR_PIXELS, ImageAudit, audit_images
from .tables import CompositionAudit, TargetAudit, audit_compositions, audit_targets

_MANY = 0.05


class Audit(BaseModel):
    """What was found of a task's official split, and how the simplest models fare.

    Attributes:
        task: its id.
        unit: of the target.
        revision: version of the data.
        rows: by split.
        images: alike across splits.
        compositions: alike across splits; None where there are no formulas.
        targets: how much they can tell.
        floors: scores of the simplest models.
        failures: which of them could not be evaluated.
    """

    task: str
    unit: str
    revision: str
    rows: dict[str, int]
    images: ImageAudit
    compositions: CompositionAudit | None
    targets: TargetAudit
    floors: list[Floor]
    failures: list[str]

    @property
    def findings(self) -> list[str]:
        """What a reader of the task's scores should know, a sentence each."""
        return [*self._alike(), *self._told(), *self._reached()]

    def _alike(self) -> Iterator[str]:
        later = self.rows["validation"] + self.rows["holdout"]
        images = self.images
        if images.exact:
            yield f"{images.exact} of {later} images of validation and holdout are the very image of an earlier split."
        if images.near > images.exact:
            yield (
                f"{images.near} of {later} have a near duplicate in an earlier split (grey levels at most "
                f"{NEAR_PIXELS:.0%} of the scale apart, or {2 * NEAR_PIXELS:.0%} and {NEAR_BITS} of 64 hash bits)."
            )
        if not images.near:
            yield "No image of validation or holdout is nearly that of an earlier split."
        if images.noise:
            yield f"{len(images.noise)} images show nothing, such as that of {images.noise[0]}."
        if found := self.compositions:
            yield (
                f"Of {found.holdout} holdout rows, {found.same_formula} share their composition, {found.same_system} "
                f"their elements and {found.same_group} their group with a training row."
            )

    def _told(self) -> Iterator[str]:
        targets = self.targets
        for split in targets.poor_splits:
            yield f"The targets of {split} are all nearly the same: R2 and ranks there mean nothing."
        if targets.commonest_share > _MANY:
            yield f"{targets.commonest_share:.0%} of the rows have the target {targets.commonest:g}."

    def _reached(self) -> Iterator[str]:
        for model in LOOKUPS:
            random, grouped = self._cv(model, "official"), self._cv(model, "grouped")
            if random and random.r2.value is not None:
                beside = f", {_r2(grouped)} where groups are held out together" if grouped else ""
                yield f"A look-up of the nearest neighbour ({model}) reaches R2 {_r2(random)} in ten folds{beside}."
        for model in ("composition-forest", "pixel-ridge"):
            random, grouped = self._cv(model, "official"), self._cv(model, "grouped")
            if random and grouped and random.rmse.value and grouped.rmse.value:
                more = grouped.rmse.value / random.rmse.value - 1
                yield f"Holding out whole groups changes the RMSE of {model} by {more:+.0%} (ten-fold, other rows)."

    def _cv(self, model: str, scheme: str) -> Floor | None:
        return next((f for f in self.floors if (f.model, f.scheme, f.protocol) == (model, scheme, "cv")), None)


def audit_task(task: str, data_dir: Path | None, cache: Path, progress: Progress) -> Audit:
    """Audit a task: images, compositions, targets, and the simplest models on every split scheme.

    Args:
        task: as for `load_task`.
        data_dir: where datasets that are not packaged are.
        cache: where finished parts are kept; an interrupted audit goes on from there.
        progress: called with how many models are done, how many there are, and the next one's name.

    Raises:
        DataError: unknown task, or data absent or changed.
    """
    data = load_task(task, data_dir=data_dir)
    schemes = [name for name in data.task.schemes if name in (data.task.schemes[0], "grouped")]
    floors, failures = audit_floors(task, schemes, data_dir, cache, progress)
    return Audit(
        task=data.task.id,
        unit=data.task.target.unit,
        revision=data.task.revision,
        rows={split: len(ids) for split, ids in data.splits.items()},
        images=audit_images(data),
        compositions=audit_compositions(data),
        targets=audit_targets(data),
        floors=floors,
        failures=failures,
    )


def _r2(floor: Floor) -> str:
    score = floor.r2
    if score.value is None:
        return "undefined"
    interval = "" if score.low is None else f" [{score.low:.2f}, {score.high:.2f}]"
    return f"{score.value:.2f}{interval}"
