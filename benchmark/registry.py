"""Registries: what packages, this one included, add through entry points."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from .errors import DataError, unknown_name

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Registry(Generic[T]):
    """Objects by name, found through an entry-point group and imported when they are first asked for.

    An entry point names an object or a class that is built without arguments. To add one, a package lists it in its
    `pyproject.toml`:

        [project.entry-points."ecdbench.metrics"]
        spearman = "my_package.metrics:SPEARMAN"

    Args:
        group: the entry-point group, as in `ecdbench.metrics`.
        kind: what one of them is called in messages, as in `metric`.
        base: the type that each of them must have.
        name_of: the name that one gives itself, which must be that of its entry point; None where they have none.
    """

    def __init__(self, group: str, kind: str, base: type = object, name_of: Callable[[T], str] | None = None) -> None:
        self.group = group
        self.kind = kind
        self._base, self._name_of = base, name_of
        self._loaded: dict[str, T] = {}

    @cached_property
    def points(self) -> dict[str, EntryPoint]:
        """The entry points by name, in alphabetical order.

        Raises:
            DataError: two packages register the same name, or a name cannot be part of a file name.
        """
        found: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            if not _NAME.fullmatch(point.name):  # it becomes part of file names
                raise DataError(
                    f"The {self.kind} '{point.name}' ({point.value}) needs a name of letters, digits, '-', '_' "
                    "and '.'; uninstall its package."
                )
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
            DataError: the name is unknown, or what is registered under it cannot be used.
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
        package = point.dist.name if point.dist else point.value
        try:
            value = point.load()
            found = value() if inspect.isclass(value) else value
        except (Exception, SystemExit) as error:
            raise DataError(
                f"The {self.kind} '{point.name}' of {package} cannot be loaded ({type(error).__name__}: {error}); "
                "update or uninstall that package."
            ) from error
        if not isinstance(found, self._base):
            raise DataError(
                f"The {self.kind} '{point.name}' of {package} is a {type(found).__name__}, not a "
                f"{self._base.__name__}; update or uninstall that package."
            )
        if self._name_of and (name := self._name_of(cast(T, found))) != point.name:
            raise DataError(
                f"The {self.kind} '{point.name}' of {package} calls itself '{name}'; give both the same name in its "
                "pyproject.toml."
            )
        return cast(T, found)
