"""The board as a static Space of the Hugging Face Hub, with results in the Hub's own evaluation format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from ..benchmark.metrics import METRICS
from ..benchmark.storage import write_text
from ..submissions.card import slug_of
from ..submissions.entry import folder_of
from ..submissions.rescoring import LeaderboardEntry
from ..tasks.hub.hub_client import HubError
from ..tasks.hub.push import HUB_METRIC, Pushed, push_folder
from .board import Board, Section
from .formats import score_text, to_csv, to_json
from .page import make_page

_BOARD = "leaderboard.json"
# What a static Space holds before anything was pushed to it.
_EMPTY = {".gitattributes", "README.md", "index.html", "style.css"}


def stage_space(board: Board, out: Path, repository: str, data_dir: Path | None = None) -> None:
    """Write what the Space holds: the page, the numbers, and one evaluation file for each entry's holdout.

    Args:
        board: what to publish.
        out: the folder to fill.
        repository: `ORG/NAME` of the Space; datasets are taken to be published under the same ORG.
        data_dir: where datasets that are not packaged are.
    """
    header = {"title": "ecdbench leaderboard", "sdk": "static", "app_file": "index.html", "license": "apache-2.0"}
    card = (
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\nModels that predict material properties from electron "
        "charge densities, every number recomputed from predictions. `eval_results/MODEL/*.yaml` are results in the "
        "form of huggingface.co/docs/hub/eval-results: copy them into `.eval_results/` of the model's repository.\n"
    )
    write_text(out / "README.md", card)
    write_text(out / "index.html", make_page(board, data_dir))
    write_text(out / _BOARD, to_json(board) + "\n")
    write_text(out / "leaderboard.csv", to_csv(board))
    for section in board.sections:
        for row in section.rows:
            if entry := evaluation_entry(section, row, repository):
                file = out / "eval_results" / slug_of(row.name) / f"{folder_of(section.task)}.yaml"
                write_text(file, yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, width=100))


def evaluation_entry(section: Section, entry: LeaderboardEntry, repository: str) -> list[dict[str, Any]] | None:
    """A row in the Hub's evaluation format; None for what is not a ranked entry on the official holdout.

    The value is the one that the datasets' `eval.yaml` names.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    if entry.card is None or entry.rank is None or section.split != "official" or section.rows[0].main != "holdout":
        return None
    main, shown = entry.reference.metric, METRICS.get(HUB_METRIC[entry.result.kind])
    value = entry.score[shown.name].value
    if value is None:
        return None
    dataset = section.task.partition("/")[0]
    made = EvalResultEntry(
        dataset_id=f"{repository.partition('/')[0]}/{dataset}",
        task_id=entry.result.target,
        value=round(value, 6),
        date=f"{entry.result.created:%Y-%m-%d}",
        source_url=f"https://huggingface.co/spaces/{repository}",
        source_name="ecdbench leaderboard",
        notes=(
            f"{shown.label} {score_text(entry.score[shown.name])}; {main.label} {score_text(entry.score[main.name])}"
            f"{f' {section.unit}' if main.unit else ''}; rank {entry.rank.rank}, {entry.rank.low} to {entry.rank.high} "
            f"not ruled out; seeds {len(entry.result.seeds)}; text {entry.result.text}"
        ),
    )
    found: list[dict[str, Any]] = eval_result_entries_to_yaml([made])
    return found


def push_space(board: Board, repository: str, private: bool, data_dir: Path | None = None) -> Pushed:
    """Push the board as a static Space; an unchanged board makes no new commit.

    Raises:
        HubError: no token, or one that may not write there; the Space holds something else.
        ServiceError: the Hub does not answer; the same command again completes the push.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "staged"
        stage_space(board, folder, repository, data_dir)
        return push_folder(folder, repository, "space", private, "Leaderboard", _check_is_board)


def _check_is_board(_api: Any, info: Any) -> None:
    files = {file.rfilename for file in info.siblings or ()}
    if files - _EMPTY and _BOARD not in files:
        raise HubError(f"{info.id} exists and holds something other than a leaderboard", "choose another name")
