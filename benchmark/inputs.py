"""Inputs: how a column of a dataset reaches a predictor. They are registered in the group `ecdbench.inputs`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ModelError
from .registry import Registry


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
        order: position among the inputs, ascending.
    """

    name: str = ""
    label: str = ""
    probe: str = ""
    blank_probe: str = ""
    order: int = 100

    def sources(self, columns: Collection[str], options: InputOptions) -> tuple[str, ...]:
        """The columns of a dataset that the input is read from; empty where the dataset does not have them.

        Args:
            columns: names of the dataset's columns.
            options: the text tier and density channel that were asked for.
        """
        return (self.name,) if self.name in columns else ()

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


INPUTS: Registry[Input] = Registry("ecdbench.inputs", "input")


def offered_inputs(columns: Collection[str], options: InputOptions) -> dict[str, Input]:
    """The inputs that a dataset with these columns offers under these options, by name, in their order."""
    return {name: one for name, one in INPUTS.all().items() if one.sources(columns, options)}


def label_of(name: str) -> str:
    """What a board calls an input; its name where it is not registered here."""
    return (INPUTS.get(name).label or name) if name in INPUTS else name


def looks_at(inputs: Sequence[str] | None) -> str:
    """What tables say a model looks at, given the inputs that it states."""
    return "not stated" if inputs is None else " + ".join(map(label_of, inputs)) or "nothing"
