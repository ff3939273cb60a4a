"""Faults and kill -9 during a run: the same predictions, and nothing paid for twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

REQUESTS, CONCURRENCY = 300, 16


def _command(url, out):
    settings = ["model=made-up", "samples=10", "temperature=1", "shots=3", f"base_url={url}"]
    flags = [flag for setting in settings for flag in ("--set", setting)]
    return [
        *(sys.executable, "-m", "ecdbench", "evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--text", "single"),
        *("--limit", "30", "--concurrency", str(CONCURRENCY), "--timeout", "10", "--out", str(out), "--quiet", *flags),
    ]


def _predictions(out):
    (file,) = out.rglob("predictions.parquet")
    return pd.read_parquet(file)


@pytest.mark.parametrize("remembers", [True, False])
def test_faults_and_kills_change_nothing_and_cost_nothing(serve, tmp_path, remembers):
    calm = serve()
    environment = {**os.environ, "ECDBENCH_CACHE": str(tmp_path / "calm")}
    assert subprocess.run(_command(calm.url, tmp_path / "one"), env=environment, check=False).returncode == 3
    assert sum(calm.paid.values()) == calm.sent == REQUESTS

    stormy = serve(latency=0.1, share=0.1)
    stormy.remembers = remembers
    command = _command(stormy.url, tmp_path / "two")
    kills = []
    for until in (80, 180):
        process = subprocess.Popen(command, env=os.environ)
        while sum(stormy.paid.values()) < until and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.05)  # for an answer on its way
        kills.append(time.monotonic())
    assert not Path(tmp_path / "two").exists()
    assert subprocess.run(command, env=os.environ, check=False).returncode == 3

    paid = sum(stormy.paid.values())
    print(f"paid {paid} for {REQUESTS}, in flight at a kill {stormy.gone}, faults {len(stormy.faults)}")
    assert len(stormy.faults) >= 15 and len(stormy.paid) == REQUESTS
    assert not remembers or paid == REQUESTS
    # Without Idempotency-Key, requests in flight at a kill may be paid for again: at most as many as are in flight, and
    # only among the last ones.
    order = sorted(at for ats in stormy.paid_at.values() for at in ats)
    again = [ats[0] for ats in stormy.paid_at.values() if len(ats) > 1]
    assert len(again) <= len(kills) * CONCURRENCY and max(stormy.paid.values()) <= 1 + len(kills)
    for first in again:
        assert any(first <= kill and sum(first < at <= kill for at in order) < 2 * CONCURRENCY for kill in kills)
    one, two = _predictions(tmp_path / "one"), _predictions(tmp_path / "two")
    pd.testing.assert_frame_equal(one, two)
    assert one["prediction"].notna().sum() == 30
