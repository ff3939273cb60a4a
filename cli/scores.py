"""A run's scores on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from ..baselines.llm.usage import Usage, usage_of
from ..benchmark.metrics import METRICS, Metric, metrics_for
from ..benchmark.protocols import PROTOCOLS
from ..benchmark.results import Result, Run
from ..benchmark.scoring import COVERAGE_THRESHOLD, Score, Scores
from ..leaderboard.formats import REPORTED_COLUMNS, reported_cells, score_text
from ..submissions.rescoring import label
from .output import print_table, say, shown

_FOLDS_SHOWN = 12
_WARNINGS_SHOWN = 3


def print_result(run: Run) -> None:
    """Print the scores of every split, what the model says of itself, literature values, and the run's folder."""
    result = run.result
    metrics = _metrics(result)
    rows = [
        [split, scores.n, *(_with_spread(scores[metric.name]) for metric in metrics), f"{scores.coverage:.0%}"]
        for split, scores in result.scores.items()
    ]
    headings = [metrics[0].heading(result.unit), *(metric.label for metric in metrics[1:])]
    print_table(["split", "n", *headings, "coverage"], rows, title=_title(result), caption=_caption(result))
    if stating := [split for split, scores in result.scores.items() if "crps" in scores.metrics]:
        print_table(*_uncertainty_table(result, stating))
    if result.model.info:
        say("  " + ", ".join(f"{name} {_shown_value(value)}" for name, value in result.model.info.items()))
    if usage := usage_of(result):
        say("  " + usage_text(usage))
    if result.stages:
        print_table(*_stage_table(result))
    if result.folds:
        print_table(*_fold_table(result))
    if result.probes:
        print_table(*_probe_table(result))
        for probe in result.probes.values():
            say(f"  {probe.reading}")
    for note in result.notes:
        say(f"  Note: {note}")
    if result.warnings:
        say(f"  Warnings: {warnings_text(result.warnings)}")
    if (versions := result.holdout_scored or 0) > 1:
        say(f"  {versions} versions of this model were scored on this holdout here; choose between versions by cv.")
    if literature := reported_cells(result.task):
        print_table(REPORTED_COLUMNS, literature)
    if not result.rankable and result.limit is None:
        say("Too many predictions failed for the run to be ranked; failed ones were scored as the training mean.")
    say(f"Run folder: {shown(run.folder)}")


def print_probes(run: Run) -> None:
    """Print the model's own score, what each probe did to it, and the run's folder."""
    result = run.result
    columns, rows, title = _probe_table(result)
    scores = result.scores[PROTOCOLS.get(result.protocol).main_split]
    print_table(
        columns, [["as it is", *_short(scores, result), ""], *rows], f"{_title(result)}. {title}", _caption(result)
    )
    for probe in result.probes.values():
        say(f"  {probe.reading}")
    say(f"Run folder: {shown(run.folder)}")


def warnings_text(counts: Mapping[str, int]) -> str:
    """The most frequent warnings of a model with their counts."""
    foremost = [f"{text} ({count:,} times)" if count > 1 else text for text, count in counts.items()][:_WARNINGS_SHOWN]
    others = sum(counts.values()) - sum(list(counts.values())[:_WARNINGS_SHOWN])
    return "; ".join([*foremost, f"{others:,} others"] if others else foremost)


def usage_text(usage: Usage) -> str:
    """What a service took, in a line."""
    ended = ", ".join(f"{count} {status}" for status, count in sorted(usage.statuses.items()))
    cost = "unknown" if usage.cost is None else f"${usage.cost:.4f}"
    parts = [
        f"{usage.answers} answers by {', '.join(usage.models) or 'nobody'} ({ended})",
        f"{usage.sent} requests sent",
    ]
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        parts.append(f"tokens {usage.prompt_tokens:,} in, {usage.completion_tokens:,} out")
    if usage.cut:
        parts.append(f"{usage.cut} cut off")
    parts.append(f"cost {cost}")
    if usage.seconds_median is not None:
        parts.append(f"latency {usage.seconds_median:.2g} s median, {usage.seconds_p95:.2g} s at 95 %")
    return "; ".join(parts)


def _metrics(result: Result) -> list[Metric]:
    """The metrics of a task, the one that ranks first."""
    main = METRICS.get(result.metric)
    return [main, *(metric for metric in metrics_for(result.kind).values() if metric.name != main.name)]


def _short(scores: Scores, result: Result) -> list[str]:
    """The two foremost metrics and the coverage."""
    return [*(_with_spread(scores[metric.name]) for metric in _metrics(result)[:2]), f"{scores.coverage:.0%}"]


def _short_headings(result: Result) -> list[str]:
    first, second = _metrics(result)[:2]
    return [first.heading(result.unit), second.label, "coverage"]


def _stage_table(result: Result) -> tuple[list[str], list[list[str]], str]:
    splits = list(result.scores)
    columns = ["stage", *(f"{heading}, {split}" for split in splits for heading in _short_headings(result))]
    rows = [
        [stage, *(cell for split in splits for cell in _short(by_split[split], result))]
        for stage, by_split in result.stages.items()
    ]
    return columns, rows, "Stage by stage"


def _uncertainty_table(result: Result, splits: list[str]) -> tuple[list[str], list[list[str]], str]:
    metrics = [m for m in metrics_for(result.kind, deviations=True).values() if m.needs_deviation]
    columns = ["split", *(metric.heading(result.unit) for metric in metrics)]
    rows = [[split, *(_with_spread(result.scores[split][metric.name]) for metric in metrics)] for split in splits]
    return columns, rows, "Stated deviations: within 95 % should be 0.95, mean z2 1, miscalibration 0"


def _fold_table(result: Result) -> tuple[list[str], list[list[str]], str]:
    """The folds with a name, the worst first."""
    main = _metrics(result)[0]

    def badness(scores: Scores) -> float:
        value = scores[main.name].value
        return float("-inf") if value is None else value if main.direction == "lower" else -value

    ordered = sorted(result.folds.items(), key=lambda item: -badness(item[1]))
    metrics = [metric for metric in _metrics(result) if metric.prominent and metric.name != "r2"]
    columns = ["held out", "n", metrics[0].heading(result.unit), *(metric.label for metric in metrics[1:])]
    rows = [[name, str(s.n), *(_with_spread(s[m.name]) for m in metrics)] for name, s in ordered[:_FOLDS_SHOWN]]
    title = "Held out one after another" + (
        f": the {_FOLDS_SHOWN} hardest of {len(ordered)} (all are in result.json)" if len(ordered) > len(rows) else ""
    )
    return columns, rows, title


def _probe_table(result: Result) -> tuple[list[str], list[list[str]], str]:
    columns = ["probe", *_short_headings(result), f"{_metrics(result)[0].label}, probe minus model"]
    rows = []
    for name, probe in result.probes.items():
        gap = probe.difference
        moved = "undefined" if gap.value is None else f"{gap.value:+.3g} [{gap.low:+.3g}, {gap.high:+.3g}]"
        if probe.scores.coverage < COVERAGE_THRESHOLD:
            moved = ""  # it would be the training mean's
        rows.append([name, *_short(probe.scores, result), moved])
    return columns, rows, "Probes: what the model uses"


def _title(result: Result) -> str:
    setting = f"split {result.split}, protocol {result.protocol}, {len(result.seeds)} seed(s)"
    return f"{label(result)} on {result.task}, {setting}"


def _caption(result: Result) -> str:
    clustered = any(scores.clusters < scores.n for scores in result.scores.values())
    text = "[low, high]: 95 % bootstrap over samples" + (", whole groups at a time" if clustered else "")
    repeated = any(fit.repeat for fit in result.fits)
    members = "seeds and repetitions" if repeated else "seeds"
    return text + (f"; +-: standard deviation over {members}." if repeated or len(result.seeds) > 1 else ".")


def _shown_value(value: object) -> str:
    """Numbers with separators, hashes by their beginning."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)


def _with_spread(score: Score) -> str:
    return score_text(score) + (f" +-{score.seed_std:.2g}" if score.seed_std is not None else "")
