import sys

import numpy as np
import pytest
from ecdbench import evaluate
from ecdbench.benchmark.adapters import SklearnPredictor
from ecdbench.benchmark.errors import ModelError
from ecdbench.benchmark.loading import PREDICTORS, import_code, load_model
from ecdbench.benchmark.model import Origin
from ecdbench.benchmark.registry import Registry
from ecdbench.benchmark.resolve import resolve

PREDICTOR = """
class {name}:
    def __init__(self, alpha=1.0):
        self.alpha = alpha
    def fit(self, train, validation, context): ...
    def predict(self, data): return [0.0] * len(data)
"""


def create(spec, parameters=None):
    """A predictor that has not been fitted, where its code is."""
    origin = Origin(spec, None, parameters or {}) if isinstance(spec, str) else Origin("", spec, parameters or {})
    return load_model(import_code(origin), origin.parameters).create()


def test_every_registered_model_resolves():
    names = PREDICTORS.names()
    assert {"mean", "median", "knn-composition", "composition-forest", "scratch-cnn"} <= set(names)
    for name in names:
        code = import_code(Origin(name))
        assert code.name == name
        assert code.source and code.files
        assert hasattr(code.target, "predict")


@pytest.mark.parametrize("spec", ["{path}", "{path}:Alpha"])
def test_a_file(write_model, spec):
    path = write_model(PREDICTOR.format(name="Alpha"))
    assert create(spec.format(path=path), {"alpha": 3}).alpha == 3
    assert resolve(spec.format(path=path), {"alpha": 3}).parameters == {"alpha": 3}


def test_a_bare_name_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model.py").write_text(PREDICTOR.format(name="Alpha"))
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text(PREDICTOR.format(name="Beta"))
    assert type(create("my_model")).__name__ == "Alpha"
    assert type(create("my_package")).__name__ == "Beta"


def test_a_file_may_import_its_neighbours(write_model):
    write_model(
        "class Base:\n    def fit(self, a, b, c): ...\n    def predict(self, data): ...\n", "neighbour_of_model.py"
    )
    path = write_model("from neighbour_of_model import Base\nclass Mine(Base): ...\n")
    assert type(create(str(path))).__name__ == "Mine"


def test_a_class_of_a_package_and_a_scikit_learn_regressor():
    assert type(create("ecdbench.baselines.naive:Mean")).__name__ == "Mean"
    model = create("sklearn.linear_model:Ridge", {"alpha": 3.0, "features": "composition"})
    assert isinstance(model, SklearnPredictor) and model.estimator.alpha == 3.0


def test_a_file_with_a_regressor(write_model):
    path = write_model("from sklearn.linear_model import Ridge\nmodel = Ridge(alpha=2.0)\n")
    assert create(str(path)).estimator.alpha == 2.0


def test_objects_and_classes():
    from ecdbench.baselines.naive import Mean
    from sklearn.linear_model import Lasso

    assert resolve(Mean).source is None  # what a class or an object closes over is unknown: never cached
    assert resolve(Mean()).source is None
    assert isinstance(create(Lasso()), SklearnPredictor)
    with pytest.raises(ModelError, match="is not a predictor"):
        resolve(object())


def test_an_entry_point_of_another_package(tmp_path, monkeypatch):
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ecdbench.predictors]\nplugged = plugged_in:Alpha\nlost = nowhere_at_all:X\n"
    )
    (tmp_path / "plugged_in.py").write_text(PREDICTOR.format(name="Alpha"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("ecdbench.benchmark.loading.PREDICTORS", Registry("ecdbench.predictors", "model"))
    assert type(create("plugged")).__name__ == "Alpha"
    with pytest.raises(ModelError, match=r"lost.*cannot be imported"):
        create("lost")


def test_predictions_files(tmp_path):
    (tmp_path / "p.csv").write_text("id,prediction\n007,1.5\nb,nan\n")
    (tmp_path / "p.json").write_text('{"007": 1.5, "b": null}')
    (tmp_path / "columns.json").write_text('{"id": ["007", "b"], "prediction": [1.5, null]}')
    (tmp_path / "records.json").write_text('[{"id": "007", "prediction": 1.5}, {"id": "b", "prediction": null}]')
    for name in ("p.csv", "p.json", "columns.json", "records.json"):
        model = resolve(str(tmp_path / name))
        assert model.predictions["007"] == 1.5 and np.isnan(model.predictions["b"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,prediction\na,1\na,2\n", "more than one prediction for a"),
        ("id,prediction\na,one\n", "not a number"),
        ("name,value\na,1\n", "needs the columns id and prediction"),
        ("", "cannot be read as csv"),
        ('id,prediction\n"a,1\n', "cannot be read as csv"),
    ],
)
def test_bad_predictions_files(tmp_path, content, sentence):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(ModelError, match=sentence):
        resolve(str(tmp_path / "p.csv"))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = 1\n", "defines no predictor"),
        (
            PREDICTOR.format(name="One") + PREDICTOR.format(name="Two"),
            r"more than one predictor; say which: .*:One or .*:Two",
        ),
        ("import a_module_that_is_not_there\n", "cannot be imported: ModuleNotFoundError"),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        ("class Half:\n    def fit(self, a, b, c): ...\n", "defines no predictor"),
    ],
)
def test_bad_model_files(write_model, source, sentence):
    with pytest.raises(ModelError, match=sentence):
        resolve(str(write_model(source)))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("composition-forrest", "Did you mean composition-forest"),
        ("nowhere.py", "no file nowhere.py"),
        ("nowhere.csv", "no predictions file nowhere.csv"),
        ("no_module:Class", "There is no model"),
        ("ecdbench.baselines.naive:Maen", "no class 'Maen'. Did you mean Mean"),
        ("numpy", "There is no model"),
        ("", "There is no model"),
        ("../../etc/passwd", "There is no model"),
    ],
)
def test_unknown_models(spec, sentence):
    with pytest.raises(ModelError, match=sentence):
        resolve(spec)


def test_parameters_are_checked_before_anything_runs(write_model):
    with pytest.raises(ModelError, match="Did you mean trees"):
        resolve("composition-forest", {"tree": 3})
    with pytest.raises(ModelError, match="takes no parameters"):
        resolve("mean", {"alpha": 1})
    with pytest.raises(ModelError, match=r"width must be an integer \(got 'abc'\)"):
        resolve("scratch-cnn", {"width": "abc"})
    path = write_model(
        "class A:\n    def __init__(self, a=1): raise ValueError('no')\n"
        "    def fit(self, a, b, c): ...\n    def predict(self, d): ...\n"
    )
    with pytest.raises(ModelError, match="cannot be built"):
        create(str(path))


def test_resolving_a_registered_name_imports_no_torch():
    import subprocess

    code = (
        "import sys; from ecdbench.benchmark.resolve import resolve\n"
        "resolve('scratch-cnn'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_package_in_the_current_folder(tmp_path, monkeypatch, k_vrh):
    """As `package.module:Class`, and as a file of the package, with its relative imports."""
    folder = tmp_path / "mine" / "pkg"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "util.py").write_text("K = 7.0\n")
    (folder / "model.py").write_text("from .util import K\n" + PREDICTOR.format(name="M").replace("[0.0]", "[K]"))
    monkeypatch.chdir(tmp_path / "mine")
    for spec in ("pkg.model:M", "pkg/model.py", "pkg/model.py:M", str(folder / "model.py")):
        assert set(evaluate(spec, k_vrh).predictions()["prediction"]) == {7.0}


def test_an_abstract_base_is_no_predictor(write_model):
    base = "import abc\nclass Base(abc.ABC):\n    @abc.abstractmethod\n    def fit(self, a, b, c): ...\n"
    base += "    @abc.abstractmethod\n    def predict(self, data): ...\n"
    path = write_model(base + PREDICTOR.format(name="Mine").replace("Mine:", "Mine(Base):"))
    assert type(create(str(path))).__name__ == "Mine"


@pytest.mark.parametrize(
    "started",
    [
        "from joblib import Parallel, delayed; Parallel(n_jobs=2)(delayed(double)(i) for i in range(4))",
        "import multiprocessing; multiprocessing.get_context('spawn').Pool(2).map(double, range(4))",
    ],
)
def test_processes_that_a_model_starts_can_import_it(write_model, k_vrh, started):
    source = PREDICTOR.format(name="M").replace("data): return", f"data):\n        {started}\n        return")
    path = write_model(f"def double(x): return 2 * x\n{source}", "loky.py")
    assert set(evaluate(str(path), k_vrh).predictions()["prediction"]) == {0.0}


@pytest.mark.parametrize("options", ["requires_grad=True", "dtype=torch.bfloat16", "dtype=torch.int32"])
def test_tensors_are_predictions(write_model, k_vrh, options):
    source = "import torch\n" + PREDICTOR.format(name="M").replace(
        "[0.0] * len(data)", f"torch.ones(len(data), {options})"
    )
    pytest.importorskip("torch")
    assert set(evaluate(str(write_model(source)), k_vrh).predictions()["prediction"]) == {1.0}
