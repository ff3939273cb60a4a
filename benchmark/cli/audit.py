"""`ecdbench audit`."""

from __future__ import annotations

from pathlib import Path

from ...api import default_cache
from ...leaderboard.render import text_of
from ...tasks.audit.report import Audit, audit_task
from ..storage import write_text
from .output import print_table, progress_bars, say, shown, warn


def audit_command(task: str, data_dir: Path | None, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Audit a task and print or write the report."""
    with progress_bars(quiet or as_json) as (progress, _):
        audit = audit_task(task, data_dir, default_cache().absolute(), progress)
    if out is not None:
        write_text(out, audit.model_dump_json(indent=1) + "\n")
    if as_json:
        say(audit.model_dump_json(indent=1))
        return
    _print(audit)
    if out is not None:
        say(f"Report: {shown(out.resolve())}")


def _print(audit: Audit) -> None:
    rows = ", ".join(f"{split} {count}" for split, count in audit.rows.items())
    say(f"{audit.task}, data {audit.revision}: {rows}")
    for finding in audit.findings:
        say(f"  - {finding}")
    if audit.images.pairs:
        print_table(
            ["image", "and", "splits", "hash bits", "pixels apart", "targets apart"],
            [
                [p.first, p.second, " / ".join(p.splits), p.bits, f"{p.pixels:.2%}", f"{p.target_gap:.1%}"]
                for p in audit.images.pairs
            ],
            title="Closest images across splits",
            caption="pixels: root mean square difference, share of the full scale; targets: share of the range",
        )
    print_table(
        ["model", "split", "protocol", "n", f"RMSE ({audit.unit})", "R2"],
        [[f.model, f.scheme, f.protocol, f.n, text_of(f.rmse), text_of(f.r2)] for f in audit.floors],
        title="What the simplest models reach",
        caption="[low, high]: 95 % bootstrap over samples, whole groups at a time.",
    )
    for failure in audit.failures:
        warn(f"Not evaluated: {failure}")
