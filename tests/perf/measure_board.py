"""A board of 1,000 and of 5,000 entries of 156 predictions each (synthetic ones): verified, ranked, rendered.

Each size runs in a process of its own; its CPU seconds and peak memory are printed, the reader's process included.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ecdbench import evaluate
from ecdbench.leaderboard.board import make_board
from ecdbench.leaderboard.page import make_page
from ecdbench.submissions.card import TEMPLATE
from ecdbench.submissions.checks import rounded
from ecdbench.submissions.predictions import READER, checksums
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import rescore
from ecdbench.submissions.submit import submit

TASK, SIZES = "ecd-fcc@1/k_vrh", (1000, 2000, 5000)  # release 1 has 156 rows to cross-validate


def main(sizes: Sequence[int] = SIZES) -> None:
    """Print CPU seconds, memory and size of the page for each number of entries."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        honest = _honest(root)
        made, before = 0, None
        for size in sizes:
            _add_entries(honest, root / "entries", made, size)
            made = size
            code = f"import measure_board; measure_board.build({str(root / 'entries')!r})"
            output = subprocess.run(
                [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
            ).stdout
            found = json.loads(output)
            growth = "" if before is None else f", {found['cpu'] / before[1] / (size / before[0]):.2f} of linear growth"
            before = (size, found["cpu"])
            print(
                f"{size} entries: {found['cpu']:.1f} CPU s ({found['rank']:.1f} of them for pairs and ranks), "
                f"{found['memory']:.0f} MiB, page {found['page']:.1f} MB, {found['rows']} rows{growth}",
                flush=True,
            )


def build(entries: str) -> None:
    """Verify, rank and render, and print what it took."""
    from ecdbench.leaderboard import board as module

    ranked = [0.0]
    plain = module.rank_models

    def timed(*given):
        start = time.process_time()
        try:
            return plain(*given)
        finally:
            ranked[0] += time.process_time() - start

    module.rank_models = timed
    board = make_board([Path(entries)])
    page = make_page(board)
    READER.close()
    own, reader = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    found = {
        "cpu": sum(usage.ru_utime + usage.ru_stime for usage in (own, reader)),
        "rank": ranked[0],
        "memory": (own.ru_maxrss + reader.ru_maxrss) / 1024,
        "page": len(page.encode()) / 1e6,
        "rows": sum(len(section.rows) for section in board.sections),
    }
    assert not board.left_out, board.left_out[0]
    print(json.dumps(found))


def _honest(root: Path) -> Path:
    run = evaluate("mean", TASK, protocol="cv", out=root / "runs", cache=root / "cache")
    card = TEMPLATE.replace("[image]", "[]").replace("Your Name", "A").replace("What a reader", "Synthetic: what")
    (root / "card.yaml").write_text(card)
    (entry,) = submit([run.folder], root / "card.yaml", root / "honest", References())
    return entry


def _add_entries(honest: Path, out: Path, first: int, last: int) -> None:
    """Copies with synthetic predictions: targets and noise of another size for each."""
    references = References()
    run = rescore(honest / "cv-official", references)
    data, frame = run.reference.data, run.run.predictions()
    targets = data.targets(frame["id"])
    result = json.loads((honest / "cv-official" / "result.json").read_text())
    for number in range(first, last):
        generator = np.random.default_rng(number)
        entry = out / honest.parent.name / f"model-{number}"
        shutil.copytree(honest, entry)
        (entry / "card.yaml").write_text((entry / "card.yaml").read_text().replace("my-model", f"model-{number}"))
        noise = generator.normal(0, generator.uniform(10, 70), len(frame))
        # The deviations that the honest entry states would be nonsense beside other predictions.
        altered = frame.assign(prediction=targets + noise).drop(columns="prediction_std")
        altered["check"] = np.array(checksums(altered), dtype="uint32")
        altered.to_parquet(entry / "cv-official" / "predictions.parquet", index=False)
        scores = rescore(entry / "cv-official", references).scores
        result["scores"] = {split: json.loads(rounded(one).model_dump_json()) for split, one in scores.items()}
        (entry / "cv-official" / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
