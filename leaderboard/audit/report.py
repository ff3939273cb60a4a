"""The whole audit of a task, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from ...benchmark.metrics import METRICS
from ...benchmark.predictor import Progress
from ...benchmark.task import TaskData
from ...tasks.catalogue import load_task
from .similarity import NEAR_BITS, NEAR_PIXELS, CompositionAudit, ImageAudit, audit_compositions, audit_images
from .targets import TargetAudit, audit_targets
from .trivial_baselines import LOOKUPS, BaselineScores, evaluate_baselines

_MANY = 0.05


class Audit(BaseModel):
    """What was found of a task's official split, and how the simplest models fare.

    Attributes:
        task: its id.
        unit: of the target.
        metric: name of the metric that ranks.
        columns: sha256 of what the audit read, by column.
        rows: by split.
        images: alike across splits; None where there are no images.
        compositions: alike across splits; None where there are no formulas.
        targets: how much they can tell.
        baselines: scores of trivial baselines.
        failures: which of them could not be evaluated.
    """

    task: str
    unit: str
    metric: str
    columns: dict[str, str]
    rows: dict[str, int]
    images: ImageAudit | None
    compositions: CompositionAudit | None
    targets: TargetAudit
    baselines: list[BaselineScores]
    failures: list[str]

    @property
    def findings(self) -> list[str]:
        """What a reader of the task's scores should know, a sentence each."""
        return [*self._alike(), *self._told(), *self._reached()]

    def _alike(self) -> Iterator[str]:
        later = self.rows["validation"] + self.rows["holdout"]
        if images := self.images:
            yield from self._alike_images(images, later)
        if found := self.compositions:
            yield (
                f"Of {found.holdout} holdout rows, {found.same_formula} share their composition, {found.same_system} "
                f"their elements and {found.same_group} their group with a training row."
            )

    def _alike_images(self, images: ImageAudit, later: int) -> Iterator[str]:
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

    def _told(self) -> Iterator[str]:
        targets = self.targets
        for split in targets.poor_splits:
            yield f"The targets of {split} are all nearly the same: R2 and ranks there mean nothing."
        if targets.commonest_share > _MANY:
            yield f"{targets.commonest_share:.0%} of the rows have the target {targets.commonest:g}."

    def _reached(self) -> Iterator[str]:
        for model in LOOKUPS:
            random, grouped = self._cv(model, "official"), self._cv(model, "grouped")
            if random and self._score(random) is not None:
                beside = f", {self._text(grouped)} where groups are held out together" if grouped else ""
                reached = f"{self._shown} {self._text(random)}"
                yield f"A look-up of the nearest neighbour ({model}) reaches {reached} in ten folds{beside}."
        for model in ("composition-forest", "pixel-ridge"):
            random, grouped = self._cv(model, "official"), self._cv(model, "grouped")
            one, other = (found and found.scores[self.metric].value for found in (random, grouped))
            if one and other:
                label = METRICS.get(self.metric).label
                more = f"{other / one - 1:+.0%} (ten-fold, other rows)"
                yield f"Holding out whole groups changes the {label} of {model} by {more}."

    @property
    def _shown(self) -> str:
        """The metric of look-ups: R2 where there is one."""
        first = self.baselines[0].scores.metrics
        return METRICS.get("r2" if "r2" in first else self.metric).label

    def _score(self, found: BaselineScores) -> float | None:
        return found.scores.metrics.get("r2", found.scores[self.metric]).value

    def _text(self, found: BaselineScores) -> str:
        score = found.scores.metrics.get("r2", found.scores[self.metric])
        if score.value is None:
            return "undefined"
        interval = "" if score.low is None else f" [{score.low:.2f}, {score.high:.2f}]"
        return f"{score.value:.2f}{interval}"

    def _cv(self, model: str, scheme: str) -> BaselineScores | None:
        return next((b for b in self.baselines if (b.model, b.scheme, b.protocol) == (model, scheme, "cv")), None)


def audit_task(task: str, data_dir: Path | None, cache: Path, progress: Progress) -> Audit:
    """Audit a task: images, compositions, targets, and trivial baselines on every split scheme.

    Args:
        task: as for `load_task`.
        data_dir: where datasets that are not packaged are.
        cache: where finished fits are kept; an interrupted audit goes on from there.
        progress: called with how many models are done, how many there are, and the next one's name.

    Raises:
        DataError: unknown task, or data absent or changed.
    """
    data = load_task(task, data_dir=data_dir)
    schemes = [name for name in data.task.schemes if name in (data.task.schemes[0], "grouped")]
    baselines, failures = evaluate_baselines(task, schemes, data_dir, cache, progress)
    return Audit(
        task=data.task.id,
        unit=data.task.target.unit,
        metric=data.task.main_metric,
        columns=_pins(data),
        rows={split: len(ids) for split, ids in data.splits.items()},
        images=audit_images(data),
        compositions=audit_compositions(data),
        targets=audit_targets(data),
        baselines=baselines,
        failures=failures,
    )


def packaged_audit(data: TaskData) -> Audit | None:
    """The audit of a task that comes with the package; None where there is none of the data as they are now."""
    file = Path(__file__).parents[1] / "audits" / f"{data.task.id.replace('/', '--')}.json"
    if not file.is_file():
        return None
    found = Audit.model_validate_json(file.read_bytes())
    return found if found.columns == _pins(data) else None


def _pins(data: TaskData) -> dict[str, str]:
    return data.pins(("image", "formula"), reads_folds=True)
