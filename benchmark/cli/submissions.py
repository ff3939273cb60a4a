"""`ecdbench submit`, `verify` and `card`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TypedDict

from ...submissions.card import TEMPLATE, Card, read_card
from ...submissions.entry import accepted_entries
from ...submissions.reference import References
from ...submissions.submit import submit
from ...submissions.text import printable
from ...submissions.verify import Verified, verify_all
from ..bootstrap import one_thread
from ..errors import EcdbenchError
from ..storage import write_text
from .output import print_table, progress_bars, say, shown, warn

# Somebody should look at an entry before it is ranked, or its data are not here.
FLAGGED = 3


def submit_command(runs: list[Path], card: Path, out: Path, data_dir: Path | None) -> None:
    """Write entries and say what to do with them."""
    written = submit(runs, card, out, References(data_dir))
    for folder in written:
        say(f"Entry: {shown(folder.resolve())}")
    names = " ".join(shown(folder.resolve()) for folder in written)
    say(f"Look at it with `ecdbench verify {names}`, then offer it in a pull request that adds these folders only.")


def verify_command(paths: list[Path] | None, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Verify, print, and exit with what was found."""
    roots = paths or [accepted_entries()]
    if absent := [str(root) for root in roots if not root.exists()]:
        raise EcdbenchError(f"There is no {absent[0]}; give an entry, or a folder with entries in it.")
    with progress_bars(quiet or as_json) as (progress, _), one_thread():
        found = [record_of(verified) for verified in verify_all(roots, References(data_dir), progress=progress)]
    if not found:
        raise EcdbenchError(f"There are no entries in {', '.join(map(str, roots))}.")
    if as_json:
        say(json.dumps(found, indent=1))
    else:
        _print(found, quiet)
    refused = sum(record["verdict"] == "refused" for record in found)
    flagged = sum(record["verdict"] in ("flagged", "unchecked") for record in found)
    if refused or flagged:
        raise SystemExit(1 if refused else FLAGGED)


class Record(TypedDict):
    """What is said of an entry, without its predictions."""

    entry: str
    verdict: str
    runs: list[str]
    reasons: list[str]


def record_of(verified: Verified) -> Record:
    """The record of an entry."""
    runs = [run.rescored.run.folder.name for run in verified.runs]
    sentences = [verified.refusal] if verified.refusal else verified.flags
    reasons = [printable(sentence) for sentence in sentences]
    return {
        "entry": str(verified.folder),
        "verdict": verified.verdict,
        "runs": runs,
        "reasons": reasons,
    }


def _print(found: list[Record], quiet: bool) -> None:
    rows = [["/".join(Path(r["entry"]).parts[-2:]), r["verdict"], ", ".join(r["runs"])] for r in found]
    if not quiet:
        print_table(["entry", "verdict", "runs recomputed"], rows)
    said = Counter((record["verdict"], reason) for record in found for reason in record["reasons"])
    for (verdict, reason), count in said.items():
        warn(f"{verdict.capitalize()}{f' ({count} times)' if count > 1 else ''}: {reason}")
    counts = Counter(record["verdict"] for record in found)
    say(
        ", ".join(
            f"{counts[verdict]} {verdict}"
            for verdict in ("verified", "flagged", "unchecked", "refused")
            if counts[verdict]
        )
        + "."
    )


def card_init_command(path: Path) -> None:
    """Write the template; a card that is there stays."""
    if path.exists():
        raise EcdbenchError(f"{path} is there already; give another name.")
    write_text(path, TEMPLATE)
    say(f"Fill in {shown(path.resolve())}, then: ecdbench submit RUN... --card {path}")


def card_schema_command() -> None:
    """Print the JSON schema."""
    say(json.dumps(Card.model_json_schema(), indent=1))


def card_check_command(path: Path) -> None:
    """Read a card and say its name."""
    card = read_card(path)
    say(f"{path} is a card of {card.name}, version {card.version}.")
