"""From what a user writes to a model: one resolver for every command.

A model is written as a registered name, `file.py[:Class]`, `package.module:Class`, a bare `my_model` that is a module
or file in the current folder, a predictions file, or, in Python, a class or an object.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from .adapters import PredictionsFile, SklearnPredictor, read_predictions
from .credentials import refuse_credentials
from .errors import EcdbenchError, ModelError, unknown_name
from .inputs import check_inputs
from .registry import Registry
from .source import source_of, source_sha256
from .storage import sha256_file
from .unpacking import kind_of, plain_name

_neighbourhoods: list[str] = []  # folders on sys.path for the sake of a model file
_PREDICTION_FILES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson")  # and compressed ones


@dataclass(frozen=True)
class Model:
    """A predictor that can be made afresh for every fit.

    Attributes:
        name: what tables call it.
        spec: what the user wrote.
        create: makes a predictor that has not been fitted.
        parameters: hyper-parameters given.
        source: hash of the code behind it; None where it cannot be known, and then nothing is cached.
        inputs: the inputs it says it looks at; None where it does not say.
        ids: the ids it can predict, where they are limited.
        asks_service: whether it uses a service, so that each prediction costs something.

    Raises:
        ModelError: a parameter holds a key; parameters are published.
    """

    name: str
    spec: str
    create: Callable[[], Any] = field(repr=False)
    parameters: Mapping[str, Any]
    source: str | None
    inputs: tuple[str, ...] | None = None
    ids: frozenset[str] | None = field(default=None, repr=False)
    asks_service: bool = False

    def __post_init__(self) -> None:
        refuse_credentials(self.parameters)


# Registered models are classes, and are made afresh for each fit: only the entry points are used.
PREDICTORS: Registry[Any] = Registry("ecdbench.predictors", "model")


def resolve(spec: Any, parameters: Mapping[str, Any] | None = None) -> Model:
    """Find the model that `spec` means.

    Args:
        spec: see the module; or a predictor class, a predictor, or a scikit-learn estimator.
        parameters: keyword arguments of its `__init__`.

    Raises:
        ModelError: it cannot be found or imported, is not one predictor, or does not take the parameters.
    """
    parameters = dict(parameters or {})
    if not isinstance(spec, str):
        return _from_object(spec, parameters)
    if spec in PREDICTORS:
        target = load_predictor(PREDICTORS.points[spec])
        return _from_class(target, spec, spec, parameters)
    path = Path(spec)
    if kind_of(path) in _PREDICTION_FILES:
        return _from_predictions(path, spec, parameters)
    location, _, attribute = spec.partition(":")
    module = _find_module(location, spec, PREDICTORS.names())
    target = _pick(module, attribute, spec)
    name = attribute or Path(location).stem
    if inspect.isclass(target):
        return _from_class(target, name, spec, parameters)
    file = getattr(module, "__file__", None)
    return _from_object(target, parameters, name, spec, source_sha256(Path(file)) if file else None)


def load_predictor(point: EntryPoint) -> Any:
    """The class of a registered predictor. Raises ModelError where there is none."""
    try:
        target = point.load()
    except (Exception, SystemExit) as error:
        raise ModelError(f"The model '{point.name}' cannot be imported: {error}.") from error
    if not inspect.isclass(target):
        raise ModelError(f"The model '{point.name}' is not a class ({point.value}); update or uninstall its package.")
    return target


def _find_module(location: str, spec: str, names: list[str]) -> ModuleType:
    path = Path(location)
    candidates = [path] if path.suffix == ".py" else [Path(f"{location}.py"), path / "__init__.py"]
    for candidate in candidates:
        if candidate.is_file():
            return _import(spec, partial(_import_file, candidate))
    if path.suffix == ".py":
        raise ModelError(f"There is no file {location}; give the path of a Python file that defines a predictor.")
    try:
        found = importlib.util.find_spec(location) is not None
    except (ImportError, ValueError):
        found = False
    if not found or ":" not in spec:
        remedy = "`ecdbench models` lists the registered ones; a file is given as file.py, a class as module:Class."
        raise ModelError(unknown_name("model", spec, names, remedy))
    return _import(spec, lambda: importlib.import_module(location))


def _import(spec: str, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except EcdbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{spec} cannot be imported: {type(error).__name__}: {error}.") from error


def _import_file(file: Path) -> ModuleType:
    file = file.resolve()
    is_package = file.name == "__init__.py"
    name = file.parent.name if is_package else file.stem
    _only_neighbours(str(file.parents[1] if is_package else file.parent))
    spec = importlib.util.spec_from_file_location(f"ecdbench_model_{name}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _only_neighbours(folder: str) -> None:
    """Let a model file import its neighbours, which never hide installed modules, and not those of an earlier one."""
    for other in [known for known in _neighbourhoods if known != folder]:
        _neighbourhoods.remove(other)
        if other in sys.path:
            sys.path.remove(other)
        for name in [name for name in sys.modules if _is_neighbour(name.partition(".")[0], other)]:
            del sys.modules[name]
    if folder not in sys.path:
        sys.path.append(folder)
        _neighbourhoods.append(folder)


def _is_neighbour(top: str, folder: str) -> bool:
    """Whether a loaded top-level module or package lies in a folder, and is not this package."""
    file = getattr(sys.modules.get(top), "__file__", None)
    if not file or top == __name__.partition(".")[0]:
        return False
    path = Path(file)
    return str(path.parents[1] if path.name == "__init__.py" else path.parent) == folder


def _pick(module: ModuleType, attribute: str, spec: str) -> Any:
    if attribute:
        if not hasattr(module, attribute):
            known = [name for name in vars(module) if not name.startswith("_")]
            raise ModelError(unknown_name("class", attribute, known, f"It was looked for in {spec.partition(':')[0]}."))
        return getattr(module, attribute)
    found = dict(_predictors_in(module))
    if not found:
        raise ModelError(
            f"{spec} defines no predictor: a class with fit(train, validation, context) and predict(data), "
            "or a scikit-learn estimator."
        )
    if len(found) > 1:
        choices = " or ".join(f"{spec}:{name}" for name in found)
        raise ModelError(f"{spec} defines more than one predictor; say which: {choices}.")
    return next(iter(found.values()))


def _predictors_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        own_class = inspect.isclass(value) and value.__module__ == module.__name__
        if (own_class and _has_methods(value)) or (not inspect.isclass(value) and _is_estimator(value)):
            yield name, value


def _has_methods(value: Any) -> bool:
    return callable(getattr(value, "fit", None)) and callable(getattr(value, "predict", None))


def _is_estimator(value: Any) -> bool:
    """Whether this is a scikit-learn estimator, or a class of them; sklearn is not imported to find out."""
    base = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", None)
    return base is not None and (isinstance(value, base) or (inspect.isclass(value) and issubclass(value, base)))


def _from_class(target: Any, name: str, spec: str, parameters: dict[str, Any]) -> Model:
    if not _has_methods(target):
        raise ModelError(f"{spec} is not a predictor: it needs fit(train, validation, context) and predict(data).")
    if _is_estimator(target):
        features = parameters.pop("features", "pixels")
        _check_parameters(target, spec, parameters)
        return _sklearn_model(_construct(target, spec, parameters), features, name, spec, source_of(target))
    _check_parameters(target, spec, parameters)
    inputs = getattr(target, "inputs", None)
    if inputs is not None:  # parameters may leave some out
        inputs = check_inputs(_construct(target, spec, parameters).inputs, name)
    return Model(
        name,
        spec,
        lambda: _construct(target, spec, parameters),
        parameters,
        source_of(target),
        inputs,
        asks_service=bool(getattr(target, "asks_service", False)),
    )


def _construct(target: Any, spec: str, parameters: dict[str, Any]) -> Any:
    try:
        return target(**parameters)
    except EcdbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{spec} cannot be built with {parameters}: {type(error).__name__}: {error}.") from error


def _from_object(
    target: Any, parameters: dict[str, Any], name: str = "", spec: str = "", source: str | None = None
) -> Model:
    """A model from a class or an object. Handed over in Python, it may close over anything, so nothing is cached."""
    if inspect.isclass(target):
        model = _from_class(target, target.__name__, f"{target.__module__}:{target.__name__}", parameters)
        return replace(model, source=None)
    name, spec = name or type(target).__name__, spec or f"{type(target).__module__}:{type(target).__name__}"
    if _is_estimator(target):
        features = parameters.pop("features", "pixels")
        if parameters:
            raise ModelError(f"{spec} is an object already; only features can be set, not {', '.join(parameters)}.")
        return _sklearn_model(target, features, name, spec, source)
    if not _has_methods(target):
        raise ModelError(f"{spec} is not a predictor: it needs fit(train, validation, context) and predict(data).")
    import copy

    inputs = check_inputs(getattr(target, "inputs", None), name)
    return Model(name, spec, lambda: copy.deepcopy(target), parameters, source, inputs)


def _sklearn_model(estimator: Any, features: str, name: str, spec: str, source: str | None) -> Model:
    given = {key: repr(value) for key, value in estimator.get_params().items()}
    try:
        usual = {key: repr(value) for key, value in type(estimator)().get_params().items()}
    except TypeError:  # it cannot be built without arguments
        usual = {}
    given = {key: value for key, value in given.items() if usual.get(key) != value}
    given |= {"features": features} if features != "pixels" else {}
    create = partial(SklearnPredictor, estimator, features)
    return Model(name, spec, create, given, source, create().inputs)


def _from_predictions(path: Path, spec: str, parameters: dict[str, Any]) -> Model:
    if not path.is_file():
        raise ModelError(f"There is no predictions file {spec}; give a csv, tsv, parquet, json or jsonl file.")
    if parameters:
        raise ModelError(f"A predictions file has no parameters; leave out {', '.join(parameters)}.")
    predictions = read_predictions(path)
    return Model(
        Path(plain_name(path)).stem,
        spec,
        lambda: PredictionsFile(predictions),
        {},
        sha256_file(path),
        ids=frozenset(predictions),
    )


def _check_parameters(target: Any, spec: str, parameters: Mapping[str, Any]) -> None:
    signature = inspect.signature(target)
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return
    known = list(signature.parameters)
    for name in parameters:
        if name not in known:
            remedy = f"{spec} takes {', '.join(known)}." if known else f"{spec} takes no parameters."
            raise ModelError(unknown_name("parameter", name, known, remedy))
