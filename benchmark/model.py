"""A model as the evaluation knows it: what it is called, what it looks at, and where it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .credentials import refuse_credentials


@dataclass(frozen=True)
class Origin:
    """What finds a model, also in another process.

    Attributes:
        spec: as on the command line; empty for an object or a class that was handed over in Python.
        target: that object or class.
        parameters: hyper-parameters, keyword arguments of its `__init__`.
    """

    spec: str
    target: Any = field(default=None, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """What a model says of itself. Its code is not here: it runs where its fits do.

    Attributes:
        name: what tables call it.
        spec: what the user wrote.
        parameters: hyper-parameters given.
        source: hash of the code behind it; None where it cannot be known, and then no fit is kept.
        inputs: the inputs that it declares, of which it is handed exactly those; None where it declares none.
        code: hash of its code, under which its features are kept; None where there is no file of it.
        asks_service: whether it uses a service, so that each prediction costs something.
        probes_itself: whether it alters its inputs itself to see what it uses.
        search: what it says is worth searching, by parameter.
        fingerprint: what else it depends on.
        origin: what finds its code; None for a file of predictions.
        predictions: what such a file holds, by id.

    Raises:
        ModelError: a parameter holds a key; parameters are published.
    """

    name: str
    spec: str
    parameters: Mapping[str, Any]
    source: str | None
    inputs: tuple[str, ...] | None = None
    code: str | None = None
    asks_service: bool = False
    probes_itself: bool = False
    search: Mapping[str, str] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = field(default=None, repr=False)
    predictions: Mapping[str, float] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        refuse_credentials(self.parameters)


@dataclass(frozen=True)
class LoadedModel:
    """A model where its code is.

    Attributes:
        model: what it says of itself.
        create: makes a predictor that has not been fitted.
    """

    model: Model
    create: Callable[[], Any] = field(repr=False)
