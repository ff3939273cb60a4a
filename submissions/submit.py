"""Turn runs into entries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..benchmark.errors import DataError
from ..benchmark.protocols import PROTOCOLS
from ..benchmark.results import RESULT, FitRecord, Run, read_run, write_run
from ..benchmark.storage import write_text
from .card import CARD, Card, read_card
from .checks import check_card, check_inputs, pins_of, rounded
from .entry import folder_of
from .predictions import checksums
from .reference import References
from .rescoring import LeaderboardEntry, rescore_run, seen_text

# An address that others know, too: a name with a domain, not a number, and no password in it.
_PUBLIC = re.compile(r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(/|$)")


def submit(runs: Sequence[Path], card_file: Path, out: Path, references: References) -> list[Path]:
    """Write entries, one per task, from runs of one model; other runs of an entry that is there already stay.

    Args:
        runs: run folders.
        card_file: the model's card.
        out: the folder of entries.
        references: loads the tasks.

    Returns:
        The entries' folders.

    Raises:
        DataError: a run cannot be recomputed, is of some rows only, is given twice, or does not fit the card.
    """
    card = read_card(card_file)
    found = {slot: rescore_run(run, references) for slot, run in _slots(runs, card).items()}
    for run in found.values():
        result, folder = run.result, run.folder
        check_card(card, result, folder)
        check_inputs(card, run)
        if result.seeds != list(range(len(result.seeds))):
            raise DataError(f"{folder} has the seeds {result.seeds}; an entry has the seeds 0, 1, ... (--seeds N).")
        if result.limit is not None:
            raise DataError(f"{folder} predicts only {result.limit} rows (--limit); evaluate the model on all.")
    entries = {task: out / folder_of(task) / card.slug for task, _, _ in found}
    for task, entry in entries.items():
        _check_kept(entry, card, {f"{protocol}-{split}" for other, protocol, split in found if other == task})
    for (task, protocol, split), run in found.items():
        _write(entries[task] / f"{protocol}-{split}", run, card)
    for entry in entries.values():
        write_text(entry / CARD, card_text(card))
    return list(entries.values())


def _slots(runs: Sequence[Path], card: Card) -> dict[tuple[str, str, str], Run]:
    """Runs by task, protocol and split. Of several, those that were made to probe the model are passed over, and on a
    fixed split those with another number of seeds than the card says."""
    slots: dict[tuple[str, str, str], list[Run]] = {}
    for folder in runs:
        run = read_run(folder)
        slots.setdefault((run.result.task, run.result.protocol, run.result.split), []).append(run)
    chosen = {}
    for slot, there in slots.items():
        plain = [run for run in there if not run.result.probes] or there
        if not PROTOCOLS.get(slot[1]).reads_folds:
            plain = [run for run in plain if len(run.result.seeds) == card.seeds] or plain
        if len(plain) > 1:
            raise DataError(
                f"{plain[0].folder} and {plain[1].folder} are both of {' '.join(slot)}; one model has one run there, "
                "with all its seeds (--seeds)."
            )
        chosen[slot] = plain[0]
    return chosen


def _check_kept(entry: Path, card: Card, replaced: set[str]) -> None:
    """The runs of an entry that stay must fit the card, too."""
    for file in sorted(entry.glob(f"*/{RESULT}")):
        if file.parent.name not in replaced:
            check_card(card, read_run(file.parent).result, file.parent)


def card_text(card: Card) -> str:
    """A card as YAML, without what was left out."""
    import yaml

    return yaml.safe_dump(card.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True, width=110)


def _write(folder: Path, entry: LeaderboardEntry, card: Card) -> None:
    """A run as it is offered: scores rounded, without what cannot be recomputed and where it was made."""
    frame = entry.run.predictions()
    result = entry.result
    model = result.model.model_copy(
        update={
            "spec": _name_only(result.model.spec),
            "parameters": _without_places(result.model.parameters),
            "info": _without_places(result.model.info),
        }
    )
    text = seen_text(result)
    offered = result.model_copy(
        update={
            "source": None,
            "model": model,
            "columns": pins_of(card.inputs, result.model_copy(update={"text": text}), entry.reference),
            "scores": {split: rounded(scores) for split, scores in entry.scores.items()},
            "stages": {},
            "folds": {},
            "probes": {},
            "fits": [_without_address(fit) for fit in result.fits],
            "text": text,
        },
    )
    table = frame.assign(check=checksums(frame)).astype({"check": "uint32"})
    write_run(folder, offered, table, curves=entry.run.curves())


def _without_address(fit: FitRecord) -> FitRecord:
    """A fit without paths of the machine it ran on, which warnings may hold and a service names its models by."""
    fit = fit.model_copy(update={"info": _without_places(fit.info), "warnings": {}})
    if fit.usage is None:
        return fit
    models = [_name_only(name) for name in fit.usage.get("models", ())]
    return fit.model_copy(update={"usage": fit.usage | {"models": models}})


def _without_places(value: Any) -> Any:
    """Parameters without the folders and addresses of the machine they were given on."""
    if isinstance(value, dict):
        return {name: _without_places(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_places(part) for part in value]
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return value if _PUBLIC.match(value) else "address left out"
    return _name_only(value) if isinstance(value, str) else value


def _name_only(value: str) -> str:
    """The last part of an absolute path; anything else as it is."""
    return Path(value).name if Path(value).is_absolute() else value
