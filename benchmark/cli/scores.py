"""A run's scores on the terminal."""

from __future__ import annotations

from ...leaderboard.contestants import label
from ...leaderboard.render import REPORTED_COLUMNS, reported_cells, text_of
from ..protocol import main_split
from ..results import Result, Run, Usage
from ..scoring import COVERAGE_THRESHOLD, Score, Scores
from .output import print_table, say, shown


def print_result(run: Run) -> None:
    """Print the scores of every split, what the model says of itself, literature values, and the run's place."""
    result = run.result
    rows = [
        [
            split,
            scores.n,
            _with_spread(scores.rmse),
            _with_spread(scores.r2),
            text_of(scores.mae),
            text_of(scores.skill),
            text_of(scores.rmse_over_range),
            f"{scores.coverage:.0%}",
        ]
        for split, scores in result.scores.items()
    ]
    columns = ["split", "n", f"RMSE ({result.unit})", "R2", "MAE", "skill", "RMSE/range", "coverage"]
    print_table(columns, rows, title=_title(result), caption=_caption(result))
    if result.model.info:
        say("  " + ", ".join(f"{name} {_shown_value(value)}" for name, value in result.model.info.items()))
    if result.usage:
        say("  " + usage_text(result.usage))
    if result.stages:
        print_table(*_stage_table(result))
    if result.probes:
        print_table(*_probe_table(result))
        for probe in result.probes.values():
            say(f"  {probe.reading}")
    for note in result.notes:
        say(f"  Note: {note}")
    if literature := reported_cells(result.task):
        print_table(REPORTED_COLUMNS, literature)
    if not result.rankable and result.limit is None:
        say("Too many predictions failed for the run to be ranked; failed ones were scored as the training mean.")
    say(f"Run folder: {shown(run.folder)}")


def print_probes(run: Run) -> None:
    """Print the model's own score, what each probe did to it, and the run's place."""
    result = run.result
    scores = result.scores[main_split(result.protocol)]
    columns, rows, title = _probe_table(result)
    own = ["as it is", _with_spread(scores.rmse), _with_spread(scores.r2), f"{scores.coverage:.0%}", ""]
    print_table(columns, [own, *rows], title=f"{_title(result)}. {title}", caption=_caption(result))
    for probe in result.probes.values():
        say(f"  {probe.reading}")
    say(f"Run folder: {shown(run.folder)}")


def _stage_table(result: Result) -> tuple[list[str], list[list[str]], str]:
    splits = list(result.scores)
    names = (f"RMSE ({result.unit})", "R2", "coverage")
    columns = ["stage", *(f"{name}, {split}" for split in splits for name in names)]

    def cells(scores: Scores) -> tuple[str, str, str]:
        return _with_spread(scores.rmse), _with_spread(scores.r2), f"{scores.coverage:.0%}"

    rows = [
        [stage, *(cell for split in splits for cell in cells(by_split[split]))]
        for stage, by_split in result.stages.items()
    ]
    return columns, rows, "Stage by stage"


def _probe_table(result: Result) -> tuple[list[str], list[list[str]], str]:
    columns = ["probe", f"RMSE ({result.unit})", "R2", "coverage", "RMSE, probe minus model"]
    rows = []
    for name, probe in result.probes.items():
        gap = probe.difference
        scores = probe.scores
        moved = "undefined" if gap.value is None else f"{gap.value:+.3g} [{gap.low:+.3g}, {gap.high:+.3g}]"
        if scores.coverage < COVERAGE_THRESHOLD:
            moved = ""  # it would be the training mean's
        rows.append([name, _with_spread(scores.rmse), _with_spread(scores.r2), f"{scores.coverage:.0%}", moved])
    return columns, rows, "Probes: what the model uses"


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


def _title(result: Result) -> str:
    setting = f"split {result.split}, protocol {result.protocol}, {len(result.seeds)} seed(s)"
    return f"{label(result)} on {result.task}, {setting}"


def _caption(result: Result) -> str:
    clusters = {split: scores.clusters for split, scores in result.scores.items() if scores.clusters < scores.n}
    text = "[low, high]: 95 % bootstrap over samples"
    if clusters:
        text += ", whole groups at a time"
    return text + ("; +-: standard deviation over seeds." if len(result.seeds) > 1 else ".")


def _shown_value(value: object) -> str:
    """Numbers with separators, hashes by their beginning."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)


def _with_spread(score: Score) -> str:
    return text_of(score) + (f" +-{score.seed_std:.2g}" if score.seed_std is not None else "")
