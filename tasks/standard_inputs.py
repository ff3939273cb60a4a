"""The inputs that come with ecdbench: views of the density, the structure, formula and text."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..benchmark.inputs import Input, InputOptions
from .density.pictures import open_picture
from .density.structure_factors import read_structure
from .density.views import picture_of, plane_of, view_channels, view_columns, volume_of


class _View(Input):
    """A view of the density, one for each channel: synthesised, or stored in a column of its own."""

    probe = "image"
    blank_probe = "blank image"
    option = "channel"
    in_plane = True

    def sources(self, columns: Collection[str], options: InputOptions) -> tuple[str, ...]:
        """The structure factors of the channel and what expands them, or else its own column.

        A published copy has both, for other tools; so runs on all copies read the same columns.
        """
        return view_columns(columns, options.channel, self.in_plane) or super().sources(columns, options)

    def variants(self, columns: Iterable[str]) -> list[str]:
        """The channels that can be synthesised, then those that are stored."""
        columns = list(columns)
        synthesised = [one for one in view_channels(columns) if view_columns(columns, one, self.in_plane)]
        return list(dict.fromkeys([*synthesised, *super().variants(columns)]))

    def read(self, cells: Mapping[str, Any]) -> Any:
        """The stored value, or the synthesised one."""
        return self.stored(next(iter(cells.values()))) if len(cells) == 1 else self.synthesise(cells)

    def stored(self, cell: Any) -> Any:
        """The view, from its own cell."""
        return cell

    def synthesise(self, cells: Mapping[str, Any]) -> Any:
        """The view, from the cells of the structure factors."""
        raise NotImplementedError


class ImageInput(_View):
    """A picture of the (111) plane, PNG; predictors see a PIL image."""

    name = "image"
    order = 10

    def stored(self, cell: bytes) -> bytes:
        """The picture, which any library may decode: it is a PNG or a JPEG of bounded size."""
        open_picture(cell)
        return cell

    def synthesise(self, cells: Mapping[str, Any]) -> bytes:
        """The plane as a PNG."""
        return picture_of(cells)

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

        pictures = [open_picture(value).convert("RGB") for value in values]
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


class DensityInput(_View, ArrayInput):
    """The (111) plane as numbers, e/A^3, shape (75, 75)."""

    name = "density"
    order = 20

    def synthesise(self, cells: Mapping[str, Any]) -> np.ndarray:
        """The plane."""
        return plane_of(cells)


class VolumeInput(_View, ArrayInput):
    """The density in three dimensions on the conventional cube, e/A^3, shape (32, 32, 32)."""

    name = "volume"
    order = 50
    in_plane = False
    is_large = True

    def synthesise(self, cells: Mapping[str, Any]) -> np.ndarray:
        """The volume."""
        return volume_of(cells)


class StructureFactorsInput(_View):
    """The structure factors themselves: `StructureFactors.from_cells` makes any plane and any grid of them."""

    name = "structure_factors"
    label = "structure factors"
    order = 60
    blank_probe = ""
    in_plane = False
    is_large = True

    def sources(self, columns: Collection[str], options: InputOptions) -> tuple[str, ...]:
        """The structure factors of the channel and what expands them."""
        return view_columns(columns, options.channel, self.in_plane)

    def variants(self, columns: Iterable[str]) -> list[str]:
        """The channels that can be synthesised."""
        return view_channels(list(columns))

    def synthesise(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """The cells."""
        return dict(cells)

    def feature(self, example: Mapping[str, Any]) -> Any:
        """Strings, and lists of numbers."""
        from datasets import List, Value

        numbers = List(List(Value("float32")))
        return {name: Value("string") if isinstance(cell, str) else numbers for name, cell in example.items()}

    def encode(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Arrays as lists."""
        return {name: cell if isinstance(cell, str) else cell.tolist() for name, cell in value.items()}


class StructureInput(Input):
    """The crystal structure: `lattice` (vectors as rows, A), `numbers` (atomic numbers), `frac_coords`."""

    name = "structure"
    probe = "structure"
    order = 70
    is_large = True

    def read(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """The three parts of the structure."""
        return {name: values.tolist() for name, values in read_structure(cells["structure"]).items()}

    def feature(self, example: Mapping[str, Any]) -> Any:
        """Lists of numbers."""
        from datasets import List, Value

        vectors = List(List(Value("float64")))
        return {"lattice": vectors, "numbers": List(Value("int64")), "frac_coords": vectors}


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
