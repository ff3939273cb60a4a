"""`ecdbench publish`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...tasks.load import default_data_dir
from ...tasks.publish.push import check_name, push_dataset
from ...tasks.publish.stage import stage_dataset
from ..errors import EcdbenchError
from .output import progress_bars, say, shown


def publish_leaderboard_command(repository: str, data_dir: Path | None, private: bool, dry_run: bool) -> None:
    """Make the board of the accepted entries, then push it as a Space, or write what would be pushed."""
    from ...leaderboard.board import make_board
    from ...leaderboard.space import push_space, stage_space
    from ...submissions.entry import accepted_entries

    check_name(repository)
    with progress_bars(quiet=False) as (progress, _):
        board = make_board([accepted_entries()], None, data_dir, progress)
    if board.left_out:
        raise EcdbenchError(
            f"{len(board.left_out)} entries cannot be shown, and a board without them is not published; the first: "
            f"{board.left_out[0]}"
        )
    if dry_run:
        folder = Path("published") / repository.replace("/", "--")
        stage_space(board, folder, repository, data_dir)
        say(f"Nothing was pushed. {shown(folder)} is what the Space {repository} would hold.")
        return
    pushed = push_space(board, repository, private, data_dir)
    what = "published" if pushed.changed else "unchanged, no new commit"
    say(f"{pushed.url} ({'private' if pushed.private else 'public'}): {what}, commit {pushed.commit}")


def publish_command(
    dataset: str, repository: str, data_dir: Path | None, private: bool, dry_run: bool, permitted: bool
) -> None:
    """Check a dataset, then push it, or write what would be pushed."""
    data_dir = data_dir or default_data_dir()
    check_name(repository)
    if dry_run:
        folder = Path("published") / repository.replace("/", "--")
        stage_dataset(dataset, data_dir, folder, permitted)
        for path in sorted(folder.iterdir()):
            say(f"{path.stat().st_size:>12,}  {path.name}")
        say(f"Nothing was pushed. {shown(folder)} is what {repository} would hold.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "staged"
        facts = stage_dataset(dataset, data_dir, folder, permitted)
        published = push_dataset(folder, repository, private)
    what = "published" if published.changed else "unchanged, no new commit"
    say(f"{published.url} ({'private' if published.private else 'public'}): {what}, tag {published.tag}")
    say(f"Commit: {published.commit}")
    target = "" if len(facts.targets) == 1 else f"/{facts.targets[0].name}"
    say(f"Evaluate on it: ecdbench evaluate MODEL --task {published.repository}@{published.commit}{target}")
