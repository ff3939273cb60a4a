import io
import json
from dataclasses import replace

import numpy as np
import pytest
from ecdbench.leaderboard.audit.similarity import audit_compositions, audit_images
from ecdbench.leaderboard.audit.targets import audit_targets
from ecdbench.tasks.catalogue import load_task
from PIL import Image

from ...parts import part_of_ecd_fcc


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def planted(k_vrh):
    """k_vrh with a copied, a nearly copied and an empty image in its holdout."""
    rows = {sample_id: dict(k_vrh.rows[sample_id]) for sample_id in k_vrh.ids}
    first, second, third = k_vrh.splits["holdout"][:3]
    source = k_vrh.splits["train"][7]
    pixels = np.asarray(Image.open(io.BytesIO(rows[source]["image"])).convert("RGB"))
    noise = np.random.default_rng(0).integers(-2, 3, pixels.shape)
    rows[first]["image"] = png(pixels)
    rows[second]["image"] = png((pixels.astype(int) + noise).clip(0, 255).astype(np.uint8))
    rows[third]["image"] = png(np.full_like(pixels, 90))
    return replace(k_vrh, altered=rows), (first, second, third), source


def test_planted_duplicates_are_found(planted, k_vrh):
    data, (first, second, third), source = planted
    before, found = audit_images(k_vrh), audit_images(data)
    assert before.exact == 0 and not before.noise
    assert found.exact == 1 and found.near >= 2 and found.noise == [third]
    pairs = {pair.first: pair for pair in found.pairs if pair.second == source}
    assert pairs[first].bits == 0 and pairs[first].pixels == 0
    assert 0 < pairs[second].pixels < 0.02
    assert pairs[first].splits == ("holdout", "train")


def test_shared_compositions_and_poor_targets(k_vrh):
    found = audit_compositions(k_vrh)
    assert found.holdout == len(k_vrh.splits["holdout"]) and 0 < found.same_formula <= found.same_system
    assert audit_targets(k_vrh).poor_splits == []
    magnetic = audit_targets(load_task("ecd-fcc@1/total_magnetization"))
    assert magnetic.poor_splits == ["validation", "holdout"]
    assert magnetic.commonest == 0 and magnetic.commonest_share > 0.8


def test_the_command(cli, tmp_path):
    report, few = tmp_path / "audit.json", load_task("ecd-fcc/formation_energy_per_atom").ids[::4]
    task = part_of_ecd_fcc(tmp_path / "few", few) / "formation_energy_per_atom"
    outcome = cli("audit", task, "--out", report)
    assert outcome.code == 0, outcome.err
    assert "A look-up of the nearest neighbour (nearest-image) reaches R2" in outcome.out
    found = json.loads(report.read_text())
    assert {(f["model"], f["scheme"], f["protocol"]) for f in found["baselines"]} >= {
        ("mean", "official", "fixed"),
        ("nearest-image", "grouped", "cv"),
    }
    assert sum(found["rows"].values()) == len(few)
    assert "There is no task" in cli("audit", "ecd-fcc/luck").err


def test_a_task_without_images_is_audited_as_well(k_vrh):
    assert audit_images(k_vrh.only(["formula"])) is None
    assert audit_compositions(k_vrh.only(["image"])) is None
