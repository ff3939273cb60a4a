"""The inputs that come with ecdbench: image, density, formula, text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..benchmark.inputs import Input


class ImageInput(Input):
    """A picture of the density, PNG, one column per density channel; predictors see a PIL image."""

    name = "image"
    probe = "image"
    blank_probe = "blank image"
    option = "channel"
    order = 10

    def feature(self, example: bytes) -> Any:
        """An image."""
        from datasets import Image

        return Image()

    def encode(self, value: bytes) -> dict[str, Any]:
        """As the `datasets` library stores images."""
        return {"bytes": value, "path": None}

    def blank(self, values: Sequence[bytes]) -> bytes:
        """A picture of one colour, the mean of all pixels."""
        from PIL import Image

        pictures = [Image.open(io.BytesIO(value)).convert("RGB") for value in values]
        colour = np.mean([np.asarray(picture).mean(axis=(0, 1)) for picture in pictures], axis=0)
        file = io.BytesIO()
        Image.new("RGB", pictures[0].size, tuple(colour.round().astype(int).tolist())).save(file, "PNG")
        return file.getvalue()

    def vectors(self, values: Sequence[Any]) -> np.ndarray:
        """Grey levels from 0 to 1, shape (n, pixels)."""
        return np.stack([np.asarray(image.convert("L"), dtype=float).ravel() / 255 for image in values])


class ArrayInput(Input):
    """A float32 array of one shape for all rows; predictors see a numpy array.

    A blank one holds the mean value; features are its values in a row.
    """

    @property
    def is_array(self) -> bool:
        """It is one."""
        return True

    def feature(self, example: np.ndarray) -> Any:
        """An array of the example's shape, two to five dimensions."""
        import datasets

        return getattr(datasets, f"Array{example.ndim}D")(shape=example.shape, dtype="float32")

    def blank(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """The mean of all values everywhere."""
        return np.full_like(values[0], float(np.mean([value.mean() for value in values])))

    def vectors(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """All values, shape (n, size of the array)."""
        return np.stack([np.ravel(value) for value in values])


class DensityInput(ArrayInput):
    """A slice of the density, e/A^3, shape (n, n), one column per density channel."""

    name = "density"
    probe = "image"
    blank_probe = "blank image"
    option = "channel"
    order = 20


class _Words(Input):
    """A string."""

    probe = "text"

    def feature(self, example: str) -> Any:
        """A string."""
        from datasets import Value

        return Value("string")


class FormulaInput(_Words):
    """The chemical formula."""

    name = "formula"
    order = 30

    def vectors(self, values: Sequence[str]) -> np.ndarray:
        """Statistics of the elements' properties, shape (n, features)."""
        from .composition import composition_features

        return composition_features(values)


class TextInput(_Words):
    """A description of the crystal in the tier that was asked for; none for the tier `none`."""

    name = "text"
    blank_probe = "no text"
    option = "text"
    order = 40

    def blank(self, values: Sequence[str]) -> str:
        """No words."""
        return ""
