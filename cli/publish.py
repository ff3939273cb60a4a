"""The command that publishes datasets and the board on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DataDir

commands = typer.Typer(rich_markup_mode=None)


@commands.command(
    epilog="Examples: ecdbench publish ecd-fcc --repo my-org/ecd-fcc --private   |   "
    "ecdbench publish built/my-densities --repo my-org/my-densities --dry-run   |   "
    "ecdbench publish leaderboard --repo my-org/leaderboard"
)
def publish(
    dataset: Annotated[str, typer.Argument(help="A dataset by name, the folder of a built one, or `leaderboard`.")],
    repo: Annotated[str, typer.Option(metavar="ORG/NAME", help="The repository on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the exact folder to published/, push nothing.")] = (
        False
    ),
    i_have_permission: Annotated[
        bool, typer.Option("--i-have-permission", help="You may publish data whose license is not stated, as sfe's.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Check a dataset and push it to the Hugging Face Hub: data, card, manifest, Croissant, leaderboard definition.

    `leaderboard` is the board of the accepted entries, as a static Space with results in the Hub's evaluation format.

    Prints the commit to pin. Unchanged content makes no new commit; a push that was interrupted is completed by the
    same command. The token is the Hub's own: HF_TOKEN, or `hf auth login`.
    """
    import tempfile

    from ..benchmark.user_folders import default_data_dir
    from ..tasks.hub.hub_client import check_repository_name
    from ..tasks.hub.push import push_dataset, stage_dataset
    from .output import say, shown

    check_repository_name(repo)
    staged = Path("published") / repo.replace("/", "--")
    if dataset == "leaderboard":
        _publish_board(repo, data_dir, private, staged if dry_run else None)
        return
    data_dir = data_dir or default_data_dir()
    if dry_run:
        stage_dataset(dataset, data_dir, staged, i_have_permission)
        for path in sorted(staged.iterdir()):
            say(f"{path.stat().st_size:>12,}  {path.name}")
        say(f"Nothing was pushed. {shown(staged)} is what {repo} would hold.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "staged"
        facts = stage_dataset(dataset, data_dir, folder, i_have_permission)
        published = push_dataset(folder, repo, private)
    outcome = "published" if published.changed else "unchanged, no new commit"
    say(f"{published.url} ({'private' if published.private else 'public'}): {outcome}, tag {published.tag}")
    say(f"Commit: {published.commit}")
    target = "" if len(facts.targets) == 1 else f"/{facts.targets[0].name}"
    say(f"Evaluate on it: ecdbench evaluate MODEL --task {published.repository}@{published.commit}{target}")


def _publish_board(repository: str, data_dir: Path | None, private: bool, staged: Path | None) -> None:
    """Make the board of the accepted entries, then push it as a Space, or write what would be pushed."""
    from ..benchmark.errors import EcdbenchError
    from ..leaderboard.board import make_board
    from ..leaderboard.space import push_space, stage_space
    from ..submissions.entry import accepted_entries
    from ..submissions.reference import References
    from .output import progress_bars, say, shown

    with progress_bars(quiet=False) as (progress, _):
        board = make_board([accepted_entries()], None, References(data_dir), progress)
    if board.left_out:
        raise EcdbenchError(
            f"{len(board.left_out)} entries cannot be shown, and a board without them is not published; the first: "
            f"{board.left_out[0]}"
        )
    if staged is not None:
        stage_space(board, staged, repository, data_dir)
        say(f"Nothing was pushed. {shown(staged)} is what the Space {repository} would hold.")
        return
    pushed = push_space(board, repository, private, data_dir)
    outcome = "published" if pushed.changed else "unchanged, no new commit"
    say(f"{pushed.url} ({'private' if pushed.private else 'public'}): {outcome}, commit {pushed.commit}")
