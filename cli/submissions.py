"""The commands that deal with entries of the leaderboard: submit, verify, card."""

from __future__ import annotations

import json as json_format
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from .options import DataDir, Json, Quiet

if TYPE_CHECKING:
    from ..submissions.verify import Verified

commands = typer.Typer(rich_markup_mode=None)
card_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Model cards: a template, and what is expected."
)
commands.add_typer(card_app, name="card")
# Somebody should look at an entry before it is ranked, or its data are not here.
FLAGGED = 3
_VERDICTS = ("verified", "flagged", "unchecked", "refused")


class Record(TypedDict):
    """What is said of an entry, without its predictions."""

    entry: str
    verdict: str
    runs: list[str]
    reasons: list[str]


@commands.command(
    epilog="Example: ecdbench submit runs/*/my_model-* --card card.yaml   (then open a pull request with the entries)"
)
def submit(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of one model.")],
    card: Annotated[Path, typer.Option(help="The model's card; `ecdbench card init` writes a template.")],
    out: Annotated[Path, typer.Option(help="The folder of entries.")] = Path("submissions/entries"),
    data_dir: DataDir = None,
) -> None:
    """Turn runs into entries: the card, predictions of all seeds and folds, and scores to be recomputed.

    An entry that exists already gets these runs in addition, or in place of the same ones, and this card.
    """
    from ..submissions.reference import References
    from ..submissions.submit import submit as write_entries
    from .output import say, shown

    written = write_entries(runs, card, out, References(data_dir))
    for folder in written:
        say(f"Entry: {shown(folder.resolve())}")
    names = " ".join(shown(folder.resolve()) for folder in written)
    say(f"Check it with `ecdbench verify {names}`, then offer it in a pull request that adds these folders only.")


@commands.command(epilog="Examples: ecdbench verify   |   ecdbench verify submissions/entries/sfe/mymodel")
def verify(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Entries, or folders of them; the accepted entries by default.")
    ] = None,
    record: Annotated[
        bool,
        typer.Option(help="Add what was verified to the ledger of looks at holdouts, beside the folder of entries."),
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify entries: files, card, ids, data and every score, recomputed from the predictions.

    Nothing of an entry is executed. Exits with 1 where an entry is refused, with 3 where one should be looked
    at, or its data are not here.
    """
    from ..benchmark.bootstrap import one_thread
    from ..benchmark.errors import EcdbenchError
    from ..submissions.entry import accepted_entries
    from ..submissions.ledger import ledger_of, record_looks
    from ..submissions.reference import References
    from ..submissions.verify import verify_all
    from .output import progress_bars, say, shown

    roots = paths or [accepted_entries()]
    if absent := [str(root) for root in roots if not root.exists()]:
        raise EcdbenchError(f"There is no {absent[0]}; give an entry, or a folder with entries in it.")
    with progress_bars(quiet or json) as (progress, _), one_thread():
        all_verified = list(verify_all(roots, References(data_dir), progress=progress))
    found = [_record(verified) for verified in all_verified]
    if not found:
        raise EcdbenchError(f"There are no entries in {', '.join(map(str, roots))}.")
    if json:
        say(json_format.dumps(found, indent=1))
    else:
        _print(found, quiet)
    if record:
        by_ledger: dict[Path, list[Verified]] = {}
        for one in all_verified:
            by_ledger.setdefault(ledger_of(one.folder.absolute().parent.parent), []).append(one)
        for ledger, there in by_ledger.items():
            say(f"{len(record_looks(ledger, there))} looks added to {shown(ledger)}.")
    verdicts = {one["verdict"] for one in found}
    if verdicts != {"verified"}:
        raise SystemExit(1 if "refused" in verdicts else FLAGGED)


@card_app.command("init", epilog="Example: ecdbench card init card.yaml")
def card_init(path: Annotated[Path, typer.Argument(help="File to write.")] = Path("card.yaml")) -> None:
    """Write a commented template of a model card."""
    from ..benchmark.errors import EcdbenchError
    from ..benchmark.storage import write_text
    from ..submissions.card import TEMPLATE
    from .output import say, shown

    if path.exists():
        raise EcdbenchError(f"{path} exists already; give another name.")
    write_text(path, TEMPLATE)
    say(f"Fill in {shown(path.resolve())}, then: ecdbench submit RUN... --card {path}")


@card_app.command("schema", epilog="Example: ecdbench card schema > card.schema.json")
def card_schema() -> None:
    """Print what a card may hold, as a JSON schema."""
    from ..submissions.card import Card
    from .output import say

    say(json_format.dumps(Card.model_json_schema(), indent=1))


@card_app.command("check", epilog="Example: ecdbench card check card.yaml")
def card_check(path: Path) -> None:
    """Check a card."""
    from ..submissions.card import read_card
    from .output import say

    card = read_card(path)
    say(f"{path} is a card of {card.name}, version {card.version}.")


def _record(verified: Verified) -> Record:
    from ..benchmark.untrusted import printable

    return {
        "entry": str(verified.folder),
        "verdict": verified.verdict,
        "runs": [run.folder.name for run in verified.runs],
        "reasons": [printable(text) for text in ([verified.refusal] if verified.refusal else verified.flags)],
    }


def _print(found: list[Record], quiet: bool) -> None:
    from .output import print_table, say, warn

    if not quiet:
        rows = [["/".join(Path(r["entry"]).parts[-2:]), r["verdict"], ", ".join(r["runs"])] for r in found]
        print_table(["entry", "verdict", "runs recomputed"], rows)
    reasons = Counter((record["verdict"], reason) for record in found for reason in record["reasons"])
    for (verdict, reason), count in reasons.items():
        warn(f"{verdict.capitalize()}{f' ({count} times)' if count > 1 else ''}: {reason}")
    counts = Counter(record["verdict"] for record in found)
    say(", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict]) + ".")
