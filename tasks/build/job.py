"""The work on one crystal, as it runs in a worker process."""

from __future__ import annotations

import errno
import threading
from dataclasses import dataclass
from pathlib import Path

from ...benchmark.errors import DataError, EcdbenchError
from .blueprint import Blueprint
from .describe import Describer
from .material import BusyError, Material, MaterialError, Source
from .row import make_row, pack

# Disk errors stop a build: the next crystal would meet them too.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_describers = threading.local()


@dataclass(frozen=True)
class Failure:
    """Why a crystal has no row. `later` is true where another try may succeed: the source was busy, the worker died."""

    kind: str
    reason: str
    later: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a crystal: its packed row, or its failure."""

    id: str
    row: bytes | None
    failure: Failure | None = None


@dataclass(frozen=True)
class Job:
    """Makes rows; it is sent to the workers.

    Attributes:
        source: where densities come from.
        blueprint: how rows are made.
        cache: where descriptions are kept; workers may share it or have their own.
    """

    source: Source
    blueprint: Blueprint
    cache: Path

    def __call__(self, material: Material) -> Outcome:
        """Make one row. Never raises for what concerns this crystal alone.

        Raises:
            EcdbenchError: no crystal can be had from the source.
            OSError: the disk is full or cannot be written.
        """
        try:
            volume = self.source.density(material)
            return Outcome(material.id, pack(make_row(material, volume, self.blueprint, self._describer())))
        except MaterialError as error:
            failure = Failure(error.kind, str(error))
        except BusyError as error:
            failure = Failure("source busy", str(error), later=True)
        except DataError as error:
            failure = Failure("error", str(error))
        except EcdbenchError:
            raise
        except MemoryError:
            failure = Failure("memory", "there was not enough memory for it", later=True)
        except OSError as error:
            if error.errno in _FATAL:
                raise
            failure = Failure("error", f"{type(error).__name__}: {error}", later=True)
        except Exception as error:  # noqa: BLE001 - one odd crystal must not stop a hundred thousand others
            failure = Failure("error", f"{type(error).__name__}: {error}".partition("\n")[0])
        return Outcome(material.id, None, failure)

    def _describer(self) -> Describer:
        """This thread's describer: starting robocrystallographer takes seconds."""
        if getattr(_describers, "cache", None) != self.cache:
            _describers.cache, _describers.one = self.cache, Describer(self.cache)
        return _describers.one
