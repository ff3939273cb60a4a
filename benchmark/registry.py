"""Registries: what packages, this one included, add through entry points."""

from __future__ import annotations

import inspect
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from .errors import DataError, unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Objects by name, found through an entry-point group and imported when they are first asked for.

    An entry point names an object or a class that is built without arguments. To add one, a package lists it in its
    `pyproject.toml`:

        [project.entry-points."ecdbench.metrics"]
        spearman = "my_package.metrics:SPEARMAN"

    Args:
        group: the entry-point group, as in `ecdbench.metrics`.
        kind: what one of them is called in messages, as in `metric`.
    """

    def __init__(self, group: str, kind: str) -> None:
        self.group = group
        self.kind = kind
        self._loaded: dict[str, T] = {}

    @cached_property
    def points(self) -> dict[str, EntryPoint]:
        """The entry points by name, in alphabetical order.

        Raises:
            DataError: two packages register the same name.
        """
        found: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            before = found.setdefault(point.name, point)
            if before.value != point.value:
                raise DataError(
                    f"Two packages register the {self.kind} '{point.name}' ({before.value} and {point.value}); "
                    "uninstall one of them."
                )
        return found

    def names(self) -> list[str]:
        """Every registered name."""
        return list(self.points)

    def __contains__(self, name: str) -> bool:
        return name in self.points

    def get(self, name: str) -> T:
        """The object registered under a name.

        Raises:
            DataError: the name is unknown, or its package cannot be imported.
        """
        if name not in self._loaded:
            if name not in self.points:
                raise DataError(unknown_name(self.kind, name, self.names(), f"Available: {', '.join(self.names())}."))
            self._loaded[name] = self._load(self.points[name])
        return self._loaded[name]

    def all(self) -> dict[str, T]:
        """Every registered object by name, sorted by its attribute `order` (where it has one), then by name."""
        found = {name: self.get(name) for name in self.points}
        return dict(sorted(found.items(), key=lambda item: (getattr(item[1], "order", 0), item[0])))

    def _load(self, point: EntryPoint) -> T:
        try:
            value = point.load()
            return cast(T, value() if inspect.isclass(value) else value)
        except Exception as error:
            package = point.dist.name if point.dist else point.value
            raise DataError(
                f"The {self.kind} '{point.name}' of {package} cannot be loaded ({type(error).__name__}: {error}); "
                "update or uninstall that package."
            ) from error
