"""Densities in a folder, under the names that people give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...benchmark.errors import DataError
from ...benchmark.unpacking import PACKINGS
from .crystal import BROKEN_DENSITY, Crystal, CrystalError
from .densities import Volume, file_version, read_volume

# Where the density of a crystal may lie, as an `.npz` or as a text file, which may be compressed.
_NPZ = "{}.npz"
_TEXTS = (
    "{}.CHGCAR", "{}.vasp", "{}.json", "{}.cube", "{}.xsf", "CHGCAR.{}", "CHGCAR_{}", "{}_CHGCAR", "{}/CHGCAR"
)  # fmt: skip
# VASP writes a CHG beside the CHGCAR, the same density with fewer digits: taken where it is alone.
_COARSE_TEXTS = ("{}.CHG", "{}/CHG")


@dataclass(frozen=True)
class DensityFolder:
    """Densities in a folder, or in its subfolder `densities`, which comes first."""

    folder: Path

    def density(self, crystal: Crystal) -> Volume:
        """Read the density of one crystal. Raises CrystalError where there is none, or several, or a broken one."""
        paths = self._paths(crystal)
        if not paths:
            names = ", ".join(name.format(crystal.id) for name in (_NPZ, *_TEXTS, *_COARSE_TEXTS))
            packings = f"{', '.join(PACKINGS[:-1])} or {PACKINGS[-1]}"
            raise CrystalError(
                "no density",
                f"none of {names} is in the folder or its subfolder densities, not even with {packings} added",
            )
        if len(paths) > 1:
            found = " and ".join(str(path.relative_to(self.folder)) for path in paths)
            raise CrystalError("several densities", f"{found} are there; keep the one that is its density")
        try:
            return read_volume(paths[0])
        except DataError as error:  # without the absolute path, since failures are published with the dataset
            raise CrystalError(BROKEN_DENSITY, str(error).replace(f"{self.folder}/", "")) from error

    def version(self, crystal: Crystal) -> str:
        """That of its file."""
        return " ".join(map(file_version, self._paths(crystal))) or file_version(None)

    def _paths(self, crystal: Crystal) -> list[Path]:
        for folder in (self.folder / "densities", self.folder):
            for names in ((_NPZ, *_compressible(_TEXTS)), _compressible(_COARSE_TEXTS)):
                paths = [folder / name.format(crystal.id) for name in names]
                if found := [path for path in paths if path.is_file()]:
                    return found
        return []


def _compressible(names: tuple[str, ...]) -> list[str]:
    return [f"{name}{packing}" for name in names for packing in ("", *PACKINGS)]
