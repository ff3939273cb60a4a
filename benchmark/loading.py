"""From what a user writes to a model's code. This runs where the model's fits do.

A model is written as a registered name, `file.py[:Class]`, `package.module:Class`, or a bare `my_model` that is a
module or file in the current folder; in Python it may be a class or an object.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, get_args, get_type_hints

from .adapters import SklearnPredictor
from .errors import EcdbenchError, ModelError, unknown_name
from .inputs import check_inputs
from .model import LoadedModel, Model, Origin
from .predictor_calls import call, mapping
from .registry import Registry
from .results import plain
from .source import file_of, source_files, source_of, source_sha256

_TYPES = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
_neighbourhoods: list[str] = []  # folders on sys.path for the sake of a model file
_aliases: list[tempfile.TemporaryDirectory[str]] = []  # a folder with a module for each model file

# Registered models are classes, and are made afresh for each fit: only the entry points are used.
PREDICTORS: Registry[Any] = Registry("ecdbench.predictors", "model")


@dataclass(frozen=True)
class Code:
    """A model's code, imported.

    Attributes:
        target: a class or an object.
        name: what tables call it; empty for its own name.
        spec: what the user wrote; empty for where the target is defined.
        file: the file that was imported for it, if any.
    """

    target: Any
    name: str = ""
    spec: str = ""
    file: Path | None = None

    @property
    def source(self) -> str | None:
        """The hash of its source; None where it is in no file."""
        return source_of(self.target) or (source_sha256(self.file) if self.file and self.file.is_file() else None)

    @property
    def files(self) -> list[Path]:
        """The model's file and those beside it that it imports."""
        file = file_of(self.target) or self.file
        return [path for path in source_files(file) if path.is_relative_to(file.parent)] if file else []


def import_code(origin: Origin) -> Code:
    """Import a model's code; none of its methods is called.

    Raises:
        ModelError: it cannot be found or imported, or is not one predictor.
    """
    spec = origin.spec
    if origin.target is not None:
        return Code(origin.target)
    if spec in PREDICTORS:
        return Code(load_predictor(PREDICTORS.points[spec]), spec, spec)
    location, _, attribute = spec.partition(":")
    module = _find_module(location, spec, PREDICTORS.names())
    file = getattr(module, "__file__", None)
    return Code(_pick(module, attribute, spec), attribute or Path(location).stem, spec, Path(file) if file else None)


@dataclass(frozen=True)
class _Recipe:
    """How predictors of a model are made.

    Attributes:
        create: makes one.
        name: what tables call the model.
        spec: what it is found by.
        parameters: its parameters, as results state them.
    """

    create: Callable[[], Any]
    name: str
    spec: str
    parameters: Mapping[str, Any]


def load_model(code: Code, parameters: Mapping[str, Any]) -> LoadedModel:
    """A model that can be fitted.

    Raises:
        ModelError: it cannot be built, does not take the parameters, or declares inputs that do not exist.
    """
    recipe = _recipe(code, parameters)
    return LoadedModel(_described(recipe, code), recipe.create)


def load_known(model: Model, code: Code, parameters: Mapping[str, Any]) -> LoadedModel:
    """A model that can be fitted and was described before. Raises ModelError as `load_model` does."""
    return LoadedModel(model, _recipe(code, parameters).create)


def _recipe(code: Code, parameters: Mapping[str, Any]) -> _Recipe:
    target, given = code.target, dict(parameters)
    if not _has_methods(target):
        raise ModelError(
            f"{code.spec or code.name or type(target).__name__} is not a predictor: it needs fit(train, validation, "
            "context) and predict(data)."
        )
    if inspect.isclass(target):
        name, spec = code.name or target.__name__, code.spec or f"{target.__module__}:{target.__name__}"
        features = given.pop("features", "pixels") if _is_estimator(target) else ""
        _check_parameters(target, spec, given)
        if features:
            return _of_estimator(_construct(target, spec, given), features, name, spec)
        return _Recipe(partial(_construct, target, spec, given), name, spec, given)
    name, spec = code.name or type(target).__name__, code.spec or f"{type(target).__module__}:{type(target).__name__}"
    if _is_estimator(target):
        features = given.pop("features", "pixels")
        if given:
            raise ModelError(f"{spec} is an object already; only features can be set, not {', '.join(given)}.")
        return _of_estimator(target, features, name, spec)
    return _Recipe(partial(copy.deepcopy, target), name, spec, given)


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
            return _import(spec, partial(_import_file, candidate.resolve()))
    if path.suffix == ".py":
        raise ModelError(f"There is no file {location}; give the path of a Python file that defines a predictor.")
    try:
        _only_neighbours(str(Path.cwd()))
        found = importlib.util.find_spec(location) is not None
    except (ImportError, ValueError):
        found = False
    if not found or ":" not in spec:
        remedy = "`ecdbench models` lists the registered ones; a file is given as file.py, a class as module:Class."
        raise ModelError(unknown_name("model", spec, names, remedy))
    return _import(spec, lambda: importlib.import_module(location))


def _import(spec: str, load: Callable[[], ModuleType]) -> ModuleType:
    writes, sys.dont_write_bytecode = (
        sys.dont_write_bytecode,
        True,
    )  # compiled files tell changes within a second by size
    try:
        return load()
    except EcdbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{spec} cannot be imported: {type(error).__name__}: {error}.") from error
    finally:
        sys.dont_write_bytecode = writes


def _import_file(file: Path) -> ModuleType:
    """Import a file, inside its packages if it is in any, under a name that hides no installed module."""
    root = file.parent.parent if file.name == "__init__.py" else file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    parts = list(file.relative_to(root).with_suffix("").parts)
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    top = root / parts[0] / "__init__.py" if (root / parts[0] / "__init__.py").is_file() else file
    _only_neighbours(str(root))
    alias = f"ecdbench_model_{parts[0]}"
    for name in [name for name in sys.modules if name == alias or name.startswith(f"{alias}.")]:
        del sys.modules[name]
    _let_workers_import(alias, top)
    import_as(alias, top)
    return importlib.import_module(".".join([alias, *parts[1:]]))


def import_as(name: str, file: Path) -> None:
    """Import a file, or the package of an `__init__.py`, as a module of this name."""
    inside = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _let_workers_import(name: str, file: Path) -> None:
    """Processes that a model starts, such as those of joblib, inherit `sys.path` and import its module by its name."""
    if not _aliases:
        _aliases.append(tempfile.TemporaryDirectory(prefix="ecdbench-modules-"))
        sys.path.append(_aliases[0].name)
    text = f"from pathlib import Path\n\nfrom {__name__} import import_as\n\nimport_as(__name__, Path({str(file)!r}))\n"
    Path(_aliases[0].name, f"{name}.py").write_text(text, encoding="utf-8")
    importlib.invalidate_caches()


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
        own_class = inspect.isclass(value) and value.__module__ == module.__name__ and not inspect.isabstract(value)
        if (own_class and _has_methods(value)) or (not inspect.isclass(value) and _is_estimator(value)):
            yield name, value


def _has_methods(value: Any) -> bool:
    return callable(getattr(value, "fit", None)) and callable(getattr(value, "predict", None))


def _is_estimator(value: Any) -> bool:
    """Whether this is a scikit-learn estimator, or a class of them; sklearn is not imported to find out."""
    base = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", None)
    return base is not None and (isinstance(value, base) or (inspect.isclass(value) and issubclass(value, base)))


def _construct(target: Any, spec: str, parameters: dict[str, Any]) -> Any:
    try:
        return target(**parameters)
    except EcdbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{spec} cannot be built with {parameters}: {type(error).__name__}: {error}.") from error


def _of_estimator(estimator: Any, features: str, name: str, spec: str) -> _Recipe:
    given = {key: repr(value) for key, value in estimator.get_params().items()}
    try:
        usual = {key: repr(value) for key, value in type(estimator)().get_params().items()}
    except TypeError:  # it cannot be built without arguments
        usual = {}
    given = {key: value for key, value in given.items() if usual.get(key) != value}
    given |= {"features": features} if features != "pixels" else {}
    return _Recipe(partial(SklearnPredictor, estimator, features), name, spec, given)


def _described(recipe: _Recipe, code: Code) -> Model:
    """A model, with what one of its predictors says of itself."""
    predictor = recipe.create()
    source = code.source if code.spec else None  # handed over in Python, it may close over anything, so no fit is kept
    try:
        json.dumps(dict(recipe.parameters))
    except (TypeError, ValueError):
        source = None  # an array or a function has no text that says all of it
    search = getattr(predictor, "search", {})
    model = Model(
        recipe.name,
        recipe.spec,
        plain(dict(recipe.parameters)),
        source,
        check_inputs(getattr(predictor, "inputs", None), recipe.name),
        code=source_of(type(predictor)),
        asks_service=bool(getattr(predictor, "asks_service", False)),
        probes_itself=callable(getattr(predictor, "predict_probes", None)),
        search={str(key): str(text) for key, text in search.items()} if isinstance(search, Mapping) else {},
    )
    fingerprint = call(model, "fingerprint", lambda: plain(mapping(model, predictor, "fingerprint")))
    return replace(model, fingerprint=fingerprint)


def _check_parameters(target: Any, spec: str, parameters: Mapping[str, Any]) -> None:
    signature = inspect.signature(target)
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return
    known = list(signature.parameters)
    for name in parameters:
        if name not in known:
            remedy = f"{spec} takes {', '.join(known)}." if known else f"{spec} takes no parameters."
            raise ModelError(unknown_name("parameter", name, known, remedy))
    _check_types(target, parameters)


def _check_types(target: Any, parameters: Mapping[str, Any]) -> None:
    """Compare parameters with their annotations, where those are numbers, texts, or true and false."""
    from pydantic import TypeAdapter, ValidationError

    try:
        hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except Exception:  # noqa: BLE001 - a name that is there for type checkers only
        return
    for name in parameters.keys() & hints.keys():
        kinds = [kind for kind in get_args(hints[name]) or (hints[name],) if kind is not NoneType]
        if not set(kinds) <= _TYPES.keys():
            continue
        try:
            TypeAdapter(hints[name]).validate_python(parameters[name])
        except ValidationError as error:
            wanted = " or ".join(_TYPES[kind] for kind in kinds)
            raise ModelError(f"{name} must be {wanted} (got {parameters[name]!r}).") from error
