"""Inputs: how a column of a dataset reaches a predictor. They are registered in the group `ecdbench.inputs`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import numpy as np

from .errors import DataError, ModelError, unknown_name
from .registry import Registry

# The columns of every table that a predictor is handed.
_RESERVED = ("id", "target")


@dataclass(frozen=True)
class InputOptions:
    """Which of several versions of an input a predictor sees, and which split scheme applies.

    Attributes:
        text: text tier; `none` for no text.
        channel: density channel.
        scheme: split scheme.
    """

    text: str = "none"
    channel: str = "total"
    scheme: str = "official"


class Input:
    """An input of predictors. A subclass says how it is read, typed, exchanged and blanked.

    Attributes:
        name: the column that a predictor sees.
        label: what a board calls it; the name by default.
        probe: inputs that share this word carry the same information and are exchanged together by probes, as in
            "image of another row"; empty for an input that is not probed.
        blank_probe: what the probe is called that replaces it by `blank`; empty where there is none.
        option: which option chooses among several columns of the dataset, `channel` or `text`; the column is then
            called as in `image_total`, `text_key`. Empty for an input with one column, of its own name.
        order: position among the inputs, ascending.
        is_large: whether only models that state it are handed it, and not those that state no inputs.
    """

    name: str = ""
    label: str = ""
    probe: str = ""
    blank_probe: str = ""
    option: Literal["", "channel", "text"] = ""
    order: int = 100
    is_large: bool = False

    def sources(self, columns: Collection[str], options: InputOptions) -> tuple[str, ...]:
        """The columns of a dataset that the input is read from; empty where the dataset does not have them.

        Args:
            columns: names of the dataset's columns.
            options: the text tier and density channel that were asked for.
        """
        name = f"{self.name}_{getattr(options, self.option)}" if self.option else self.name
        return (name,) if name in columns else ()

    def variants(self, columns: Iterable[str]) -> list[str]:
        """The values of its `option` that a dataset with these columns offers, in the order of the columns."""
        prefix = f"{self.name}_"
        return [name.removeprefix(prefix) for name in columns if self.option and name.startswith(prefix)]

    def read(self, cells: Mapping[str, Any]) -> Any:
        """The value of one row from the cells of its `sources`."""
        (cell,) = cells.values()
        return cell

    def feature(self, example: Any) -> Any:
        """The type of the column in the words of the `datasets` library, given the value of one row."""
        raise NotImplementedError

    def encode(self, value: Any) -> Any:
        """A value as `datasets.Dataset.from_dict` takes it."""
        return value

    @property
    def is_array(self) -> bool:
        """Whether rows come as numpy arrays."""
        return False

    def blank(self, values: Sequence[Any]) -> Any:
        """A value that tells nothing about its row, made from the values of some training rows."""
        raise NotImplementedError

    def vectors(self, values: Sequence[Any]) -> np.ndarray:
        """Values, as a predictor sees them, as plain features for a scikit-learn regressor, shape (n, k).

        Raises:
            ModelError: the input has no such form.
        """
        raise ModelError(f"The input '{self.name}' has no fixed-length features for a scikit-learn model.")


INPUTS: Registry[Input] = Registry("ecdbench.inputs", "input", Input, attrgetter("name"))


def offered_inputs(columns: Collection[str], options: InputOptions) -> dict[str, Input]:
    """The inputs that a dataset offers under these options, by name, in their order.

    Args:
        columns: names of the dataset's columns of role `input`.
        options: text tier and density channel.

    Raises:
        DataError: an input reads other columns, such as a target.
    """
    found = {name: one for name, one in INPUTS.all().items() if one.sources(columns, options)}
    for name, one in found.items():
        if name in _RESERVED:
            raise DataError(f"The input '{name}' has the name of another column of every table; uninstall its package.")
        if strange := set(one.sources(columns, options)) - set(columns):
            raise DataError(
                f"The input '{name}' reads {min(strange)}, which is not an input column of the dataset; uninstall its "
                "package."
            )
    return found


def check_inputs(inputs: Any, model: str) -> tuple[str, ...] | None:
    """The inputs that a model states, checked; None where it states none.

    Args:
        inputs: its attribute `inputs`.
        model: its name, for messages.

    Raises:
        ModelError: they are not names of registered inputs.
    """
    if inputs is None:
        return None
    if isinstance(inputs, str) or not isinstance(inputs, Iterable):
        raise ModelError(f"{model} states inputs = {inputs!r}; write a tuple of names, as in inputs = ('image',).")
    stated = tuple(dict.fromkeys(inputs))
    for name in stated:
        if name != "id" and name not in INPUTS:
            raise ModelError(unknown_name("input", str(name), INPUTS.names(), f"{model} states it in `inputs`."))
    return stated


def depends_on(option: str, inputs: Sequence[str] | None) -> bool:
    """Whether a model with these inputs sees another value of an option, `channel` or `text`; so does one that states
    none."""
    return inputs is None or any(name in INPUTS and INPUTS.get(name).option == option for name in inputs)


def label_of(name: str) -> str:
    """What a board calls an input; its name where it is not registered here."""
    return (INPUTS.get(name).label or name) if name in INPUTS else name


def looks_at(inputs: Sequence[str] | None) -> str:
    """What tables say a model looks at, given the inputs that it declares; one that declares none is handed all."""
    return "all inputs" if inputs is None else " + ".join(map(label_of, inputs)) or "nothing"
