"""Options that several commands share, alone and as objects."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from ..baselines.llm.usage import Service
    from ..benchmark.fit_processes import Isolation
    from ..benchmark.fit_processes.workplace import Workplace
    from ..benchmark.model import Model
    from ..benchmark.task import TaskData

TaskOption = Annotated[str, typer.Option("--task", "-t", help="Task, as in ecd-fcc/k_vrh or sfe.")]
ModelArgument = Annotated[
    str, typer.Argument(help="Registered name, file.py[:Class], package.module:Class, or a predictions file.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of datasets that are not packaged, such as sfe. [env: ECDBENCH_DATA]"),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch from the Hub the datasets that runs were made on.")]
Json = Annotated[bool, typer.Option("--json", help="Print json, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the location of the result.")]
RunsFolder = Annotated[Path, typer.Option("--out", help="Run folders are made inside.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes of this machine.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try all failed crystals again.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many seeds.")]
ProtocolOption = Annotated[
    str,
    typer.Option(
        help="fixed (the split), cv (10 folds, holdout untouched), learning-curve, leave-cluster-out, or a registered "
        "one; options may follow, as in cv,repeats=3."
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """What evaluate, tune, stability and ablate have in common: the task, what the model sees of it, its parameters,
    and, for a model behind a service, what that may cost."""

    task: TaskOption
    split: Annotated[str | None, typer.Option(help="Split scheme; the official one by default.")] = None
    text: Annotated[str, typer.Option(help="Text tier the model sees: none, single, key or all.")] = "none"
    channel: Annotated[
        str | None, typer.Option(help="Density channel, as in total, spin, deformation, promolecule.")
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter of the model; repeatable."),
    ] = None
    device: Annotated[str, typer.Option(help="cpu, or a torch device such as cuda.")] = "cpu"
    data_dir: DataDir = None
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="For a service: stop before this command exceeds so many dollars.")
    ] = None
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="For a service: stop after this command has sent so many requests.")
    ] = None
    concurrency: Annotated[int, typer.Option(min=1, help="For a service: requests in flight at once.")] = 8
    timeout: Annotated[float, typer.Option(help="For a service: seconds to wait for an answer.")] = 120.0
    prices: Annotated[
        Path | None, typer.Option(help="For a service: yaml file with your prices, dollars per million tokens.")
    ] = None

    in_process: Annotated[
        bool, typer.Option("--in-process", help="Fit in this process, where a debugger works; not in one per fit.")
    ] = False
    isolated: Annotated[
        bool, typer.Option("--isolated", help="Hide datasets, entries, runs and kept fits from the model (Linux).")
    ] = False

    @property
    def isolation(self) -> Isolation:
        """What fits are kept from."""
        from ..benchmark.errors import EcdbenchError

        if self.in_process and self.isolated:
            raise EcdbenchError("--in-process and --isolated exclude each other; leave one out.")
        return "none" if self.in_process else "full" if self.isolated else "process"

    @property
    def parameters(self) -> dict[str, Any]:
        """Hyper-parameters of the model."""
        return parse_settings(self.settings or [])

    def resolve(self, model: str, place: Workplace) -> Model:
        """The model with its parameters."""
        from ..benchmark.resolve import resolve

        return resolve(model, self.parameters, place)

    def place(self, out: Path) -> Workplace:
        """Where fits are made.

        Args:
            out: where runs are written.
        """
        from ..api import make_workplace

        return make_workplace(self.isolation, out, None, self.data_dir)

    def load(self) -> TaskData:
        """The data of the task."""
        from ..benchmark.fit_processes import workplace
        from ..tasks.catalogue import load_task

        workplace(self.isolation).prepare()  # it starts while the data are read

        return load_task(self.task, text=self.text, channel=self.channel, split=self.split, data_dir=self.data_dir)

    def service(self, batch: bool = False) -> Service:
        """How a service is asked, and what it may cost."""
        from ..baselines.llm.usage import Budget, Service

        budget = Budget(self.max_requests, self.max_cost)
        return Service(None, self.concurrency, self.timeout, batch, self.prices, budget)

    def flags(self, parameters: dict[str, Any]) -> str:
        """The flags that say what the model sees, and these parameters, for a command to copy."""
        import shlex

        flags = "" if self.text == "none" else f" --text {self.text}"
        for name in ("channel", "split"):
            flags += f" --{name} {getattr(self, name)}" if getattr(self, name) else ""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
        return flags + "".join(f" --set {shlex.quote(f'{name}={text}')}" for name, text in texts.items())


def with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses such as `RunOptions`: each of their fields becomes an option of its own."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, tuple[type, list[str]]] = {}
    parameters = []
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints[name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            of_fields = get_type_hints(kind, include_extras=True)
            fields = inspect.signature(kind).parameters
            groups[name] = (kind, list(fields))
            parameters += [field.replace(annotation=of_fields[field.name]) for field in fields.values()]
        else:
            parameters.append(parameter.replace(annotation=kind))
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]

    @functools.wraps(function)
    def command(**given: Any) -> None:
        for name, (kind, fields) in groups.items():
            given[name] = kind(**{field: given.pop(field) for field in fields})
        function(**given)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as parameters; values are read as json or Python literals where they are, else as text.

    Raises:
        EcdbenchError: a text has no `=`.
    """
    from ..benchmark.errors import EcdbenchError

    parameters = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise EcdbenchError(f"invalid setting '{setting}': expected --set NAME=VALUE")
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text
