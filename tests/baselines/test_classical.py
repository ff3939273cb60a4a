import time

import numpy as np
import pytest
from ecdbench import evaluate, load_task
from ecdbench.baselines.density_models import density_quantiles
from ecdbench.baselines.image_features import fourier_magnitudes, pixels, reduce_width
from ecdbench.benchmark.errors import DataError, ModelError
from ecdbench.tasks.composition import composition_features, element_properties, parse_formula
from PIL import Image

from .conftest import create

MODELS = [
    "knn-composition",
    "composition-forest",
    "density-forest",
    "joint-forest",
    "nearest-image",
    "pixel-ridge",
    "fourier-gpr",
]


@pytest.mark.parametrize("model", MODELS)
def test_every_classical_baseline_beats_the_mean(model, k_vrh):
    parameters = {"trees": 50} if "forest" in model else {}
    scores = evaluate(model, k_vrh, parameters=parameters).result.scores["holdout"]
    assert scores["skill"].value > 0.2
    assert scores.coverage == 1


@pytest.mark.parametrize("name", MODELS)
def test_classification_predicts_probabilities(name, classification):
    model = create(name, {"trees": 50} if "forest" in name else {})
    model.fit(classification.train, classification.validation, classification.context())
    probabilities = model.predict(classification.validation)
    assert probabilities.min() >= 0 and probabilities.max() <= 1
    targets = np.asarray(classification.validation["target"])
    assert np.mean((probabilities > 0.5) == targets) > max(targets.mean(), 1 - targets.mean())


@pytest.mark.parametrize(("model", "statistic"), [("mean", np.mean), ("median", np.median)])
def test_the_floor(model, statistic, k_vrh):
    prediction = evaluate(model, k_vrh).predictions()["prediction"].unique()
    assert prediction == pytest.approx([statistic(k_vrh.targets(k_vrh.splits["train"]))])


def test_ridge_on_pixels_reaches_what_was_measured_before(sfe_dir):
    """R2 near 0.8 on the 137 images, as four independent measurements found."""
    scores = evaluate("pixel-ridge", load_task("sfe", data_dir=sfe_dir), protocol="cv").result.scores["cv"]
    assert 0.75 < scores["r2"].value < 0.88
    assert scores["r2"].low < 0.81 < scores["r2"].high
    assert scores.clusters < scores.n


def test_the_nearest_image_is_a_look_up(k_vrh):
    table = evaluate("nearest-image", k_vrh).predictions()
    train = set(k_vrh.targets(k_vrh.splits["train"]).tolist())
    assert set(table.loc[table["split"] == "holdout", "prediction"]) <= train
    learnt = table[table["split"] == "train"]
    assert (learnt["prediction"].to_numpy() == k_vrh.targets(learnt["id"])).mean() > 0.95


def test_density_forest_needs_densities(sfe_dir):
    with pytest.raises(ModelError, match="needs a dataset with densities, such as ecd-fcc"):
        evaluate("density-forest", load_task("sfe", data_dir=sfe_dir))


def test_sfe_images_shrink_as_in_the_paper(sfe_dir):
    image = load_task("sfe", data_dir=sfe_dir).table(["sfe-001"])[0]["image"]
    small = np.asarray(reduce_width(image, 196), dtype=float)
    assert small.shape == (73, 196, 3)
    blocks = np.asarray(image.convert("RGB"), dtype=float).reshape(73, 2, 196, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 0.5  # what OpenCV's INTER_AREA does, up to rounding


def test_features():
    image = Image.fromarray(np.arange(75 * 75 * 3, dtype=np.uint8).reshape(75, 75, 3))
    stack = pixels([image, image], 98)
    assert stack.shape == (2, 75, 75, 3) and stack.max() <= 1
    shifted = np.roll(stack, (5, 9), axis=(1, 2))
    assert np.allclose(fourier_magnitudes(stack), fourier_magnitudes(shifted), atol=1e-4)
    quantiles = density_quantiles([np.arange(25.0).reshape(5, 5)], 3)
    assert quantiles.tolist() == [[0.0, 12.0, 24.0]]


def test_composition_features():
    names, table = element_properties()
    *statistics, elements = composition_features(["K2S"])[0]
    mean, _, _, _, spread = np.reshape(statistics, (5, len(names)))
    index = names.index("electronegativity")
    k, s = table["K"][index], table["S"][index]
    assert mean[index] == pytest.approx((2 * k + s) / 3)
    assert spread[index] == pytest.approx(s - k)
    assert elements == 2
    assert composition_features(["Ni46Sc2"]) == pytest.approx(composition_features(["Ni23Sc"]))
    with pytest.raises(DataError, match="unknown element Qq"):
        composition_features(["Qq2"])


def test_the_element_table_is_pymatgens():
    from ecdbench.tasks import composition
    from ecdbench.tasks.builder.element_table import element_table

    assert composition._TABLE.read_text() == element_table()


@pytest.mark.parametrize(
    "text", ["", "k2s", "K2S-", "2H", "K2.S", "K 2", "K(", "K)", "()", "K()S", "K0", "K9999999", "K" + "9" * 400]
)
def test_texts_that_are_no_formulas(text):
    with pytest.raises(DataError, match="not a chemical formula"):
        parse_formula(text)


@pytest.mark.parametrize("text", ["(" * 10**6, "(K" * 5 * 10**5, "K9" * 10**6, "(" * 10**5 + "K" + ")9" * 10**5])
def test_long_texts_are_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(DataError, match=r"^.{1,120}$"):
        parse_formula(text)
    assert time.process_time() - start < 0.5


def test_formulas():
    assert parse_formula("Ni45FeCrW") == {"Ni": 45, "Fe": 1, "Cr": 1, "W": 1}
    assert parse_formula("HOH") == {"H": 2, "O": 1}
    assert parse_formula("Li0.5Cl") == {"Li": 0.5, "Cl": 1}
    assert parse_formula("(NH4)2S") == {"N": 2, "H": 8, "S": 1}
    assert parse_formula("Ca3(Al(OH)6)2") == {"Ca": 3, "Al": 2, "O": 12, "H": 12}
