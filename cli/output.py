"""What the commands share: consoles, tables, progress bars, and the one place where errors become sentences."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

_INTERRUPTED = "Interrupted. What was finished is kept: the same command continues from there."
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
Watcher = Callable[[int, int, str], None]


# What steers a terminal, or turns a line round; shown as what it is: something that cannot be shown.
_CONTROL = [*range(9), *range(11, 32), *range(127, 160)]
_DIRECTION = [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_STEERING = dict.fromkeys([*_CONTROL, *_DIRECTION], "\ufffd")


def say(text: str = "") -> None:
    """Print to standard output."""
    sys.stdout.write(text.translate(_STEERING) + "\n")


def shown(path: Path) -> str:
    """A path as short as possible, seen from the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def warn(text: str) -> None:
    """Print a sentence to standard error."""
    sys.stderr.write(text.translate(_STEERING) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "", caption: str = "") -> None:
    """Print a table; as wide as it needs to be where the output is not a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold") if title else None,
        caption=Text(caption, style="dim") if caption else None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )  # as Text, because brackets are markup otherwise
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell).translate(_STEERING)) for cell in row))
    console = Console()  # a terminal folds long cells; files and pipes get whole lines
    if not console.is_terminal:
        console = Console(width=max(Console(width=10_000).measure(table).maximum, 80))
    console.print(table)


@contextlib.contextmanager
def progress_bars(quiet: bool) -> Iterator[tuple[Watcher, Watcher]]:
    """Two bars on standard error, for fits and for steps within one; nothing where it is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        tasks = [progress.add_task("", total=None, visible=False) for _ in range(2)]

        def watch(index: int) -> Watcher:
            def update(done: int, total: int, message: str) -> None:
                progress.update(tasks[index], completed=done, total=total, description=message, visible=True)

            return update

        yield watch(0), watch(1)


def run_app(app: Callable[..., Any]) -> None:
    """Run the command line; errors become one sentence on standard error and a non-zero exit.

    `--debug`, anywhere, shows the traceback instead.
    """
    from ..benchmark.credentials import redact

    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        _quiet_libraries(debug)
        app()
    except SystemExit as stop:
        if stop.code == 130:  # typer's answer to Ctrl-C
            warn(_INTERRUPTED)
        raise
    except KeyboardInterrupt:
        warn(_INTERRUPTED)
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
    except Exception as error:  # noqa: BLE001 - shown, but without the user's keys
        sentence = _sentence(error)
        if debug or sentence is None:
            warn(redact("".join(traceback.format_exception(error))))
        else:
            warn(f"Error: {redact(sentence)}")
        raise SystemExit(1) from None


def _sentence(error: Exception) -> str | None:
    """What to say about an error that the user can fix; None for a defect of the program."""
    from ..benchmark.errors import EcdbenchError

    if isinstance(error, EcdbenchError):
        return str(error)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        what = os.strerror(error.errno) if error.errno else str(error)
        if error.errno not in _NO_ROOM:
            return f"{what}{where}. Give another path, or fix this one."
        return (
            f"{what}{where}. Make room or choose a folder that can be written "
            "(--out, ECDBENCH_CACHE, TMPDIR), then run the same command again; what was finished is kept."
        )
    if isinstance(error, UnicodeError):
        return "A name or path holds characters that cannot be written; use plain text."
    if isinstance(error, MemoryError):
        return "There is not enough memory; close other programs or use a smaller model."
    return None


def _quiet_libraries(debug: bool) -> None:
    if not debug:
        import warnings

        for category in (DeprecationWarning, FutureWarning):  # of libraries, for their developers
            warnings.simplefilter("ignore", category)
