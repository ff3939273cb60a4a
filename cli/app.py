"""The command line as a whole. Commands declare their options, and import what they need when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from .board import commands as board_commands
from .build import commands as build_commands
from .evaluate import commands as evaluate_commands
from .output import run_app
from .publish import commands as publish_commands
from .submissions import commands as submission_commands
from .tasks import commands as task_commands
from .tune import commands as tune_commands

app = typer.Typer(
    name="ecdbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A benchmark for predicting material properties from electron charge densities.",
    epilog="Example: ecdbench evaluate composition-forest --task ecd-fcc/k_vrh",
)
for group in (
    task_commands,
    evaluate_commands,
    tune_commands,
    board_commands,
    submission_commands,
    build_commands,
    publish_commands,
):
    app.add_typer(group)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("ecdbench"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Entry point of the `ecdbench` command."""
    run_app(app)
