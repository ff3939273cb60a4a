"""`ecdbench publish`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...tasks.load import default_data_dir
from ...tasks.publish.push import check_name, push_dataset
from ...tasks.publish.stage import stage_dataset
from .output import say, shown


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
