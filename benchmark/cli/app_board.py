"""The commands that look at runs and rank them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DataDir, Json, Quiet

commands = typer.Typer(rich_markup_mode=None)


@commands.command(epilog="Example: ecdbench show runs/sfe/pixel-ridge-cv-official-1a2b3c4d")
def show(run: Path, data_dir: DataDir = None, json: Json = False) -> None:
    """Show a run: scores of every split, largest errors, time, provenance."""
    from .runs import show_command

    show_command(run, data_dir, json)


@commands.command(
    epilog="Examples: ecdbench compare runs/sfe/pixel-ridge-... runs/sfe/composition-forest-... --out comparison   |   "
    "ecdbench compare runs/ecd-fcc--k_vrh/in-context-... runs/ecd-fcc--k_vrh/*"
)
def compare(
    first: Path,
    others: Annotated[list[Path], typer.Argument(help="One run, or several, each compared with the first.")],
    out: Annotated[
        Path | None, typer.Option(help="Of two runs: folder for a parity plot and a csv file of all samples.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Compare a run with others on the same samples: paired bootstrap of the difference.

    Of two runs also the samples on which they differ most and, for cross-validation, a corrected resampled t-test.
    """
    from .compare import compare_command, compare_with_each

    rest = [other for other in others if other.resolve() != first.resolve()] or others
    if len(rest) == 1:
        compare_command(first, rest[0], data_dir, out, json)
    else:
        compare_with_each(first, rest, data_dir, json, out)


@commands.command(
    epilog="Examples: ecdbench leaderboard --task sfe --format markdown > sfe.md   |   "
    "ecdbench leaderboard --inputs image --format html --out board.html   |   ecdbench leaderboard --serve"
)
def leaderboard(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders with runs, or of entries; the accepted entries and `runs` by default."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="One task, or all of a dataset.")] = None,
    inputs: Annotated[
        str | None, typer.Option(help="Models that look at exactly these, as in image or image,text.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Models given this text tier: none, single, key or all.")] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--not-pretrained", help="Pretrained models only, or the others.")
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="terminal, markdown, csv, json or html.")] = "terminal",
    out: Annotated[Path | None, typer.Option(help="File to write; html goes to leaderboard.html by default.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Show the html board on this machine, in a browser.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Rank models. Every number is recomputed from predictions; ranks are among the rows shown."""
    from .board import filter_of, leaderboard_command

    leaderboard_command(runs, filter_of(task, inputs, text, pretrained), format, out, serve, data_dir)


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

    An entry that is there already gets these runs in addition, or in place of the same ones, and this card.
    """
    from .submissions import submit_command

    submit_command(runs, card, out, data_dir)


@commands.command(epilog="Examples: ecdbench verify   |   ecdbench verify submissions/entries/sfe/mymodel")
def verify(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Entries, or folders of them; the accepted entries by default.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify entries: files, card, ids, data and every score, recomputed from the predictions.

    Nothing of an entry is executed. Exits with 1 where an entry is refused, with 3 where one should be looked
    at, or its data are not here.
    """
    from .submissions import verify_command

    verify_command(paths, data_dir, json, quiet)


card_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Model cards: a template, and what is expected."
)
commands.add_typer(card_app, name="card")


@card_app.command("init", epilog="Example: ecdbench card init card.yaml")
def card_init(path: Annotated[Path, typer.Argument(help="File to write.")] = Path("card.yaml")) -> None:
    """Write a commented template of a model card."""
    from .submissions import card_init_command

    card_init_command(path)


@card_app.command("schema", epilog="Example: ecdbench card schema > card.schema.json")
def card_schema() -> None:
    """Print what a card may hold, as a JSON schema."""
    from .submissions import card_schema_command

    card_schema_command()


@card_app.command("check", epilog="Example: ecdbench card check card.yaml")
def card_check(path: Path) -> None:
    """Check a card."""
    from .submissions import card_check_command

    card_check_command(path)
