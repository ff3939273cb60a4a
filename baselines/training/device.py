"""What training needs to know about a device: whether it is usable, its precision, and what to do when memory runs
out."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ...benchmark.errors import EcdbenchError, MissingExtraError

Result = TypeVar("Result")

# Parameter numbers of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def require_torch() -> None:
    """Require torch.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("This model", "torch") from error


def set_up_device(device: str) -> None:
    """Check that torch can use a device, and tune memory allocation on a CPU.

    Raises:
        MissingExtraError: torch is not installed.
        EcdbenchError: the device cannot be used.
    """
    require_torch()
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise EcdbenchError(f"The device '{device}' cannot be used ({reason}); use --device cpu.") from error
    if device == "cpu":
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Make glibc keep the buffers that every training step frees and allocates again.

    By default it returns large ones to the system, and an epoch spends a tenth of its time on page faults.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest value it accepts
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def uses_bfloat16(precision: str, device: str) -> bool:
    """Whether a precision, as in `LoopSettings`, means bfloat16 on this device."""
    return precision == "bfloat16" or (precision == "auto" and device.startswith("cuda"))


class BatchSplitter:
    """Splits batches into pieces that fit in memory. Once halved, pieces stay that small.

    Attributes:
        pieces: number of pieces that a batch is split into.

    Args:
        notes: a sentence is appended whenever memory runs out.
    """

    def __init__(self, notes: list[str]) -> None:
        self.pieces = 1
        self._notes = notes

    def run(
        self,
        rows: np.ndarray,
        compute: Callable[[np.ndarray], Result],
        reset: Callable[[], object] = lambda: None,
    ) -> list[Result]:
        """Compute a batch piece by piece, in order; start over with smaller pieces when memory runs out.

        Args:
            rows: the batch, as row numbers.
            compute: called with the row numbers of each piece.
            reset: called before the first piece, at every attempt.

        Raises:
            EcdbenchError: a single row does not fit in memory.
        """
        while True:
            size = -(-len(rows) // self.pieces)
            reset()
            try:
                return [compute(rows[first : first + size]) for first in range(0, len(rows), size)]
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if size == 1:
                    raise EcdbenchError(
                        "There is not enough memory for a single row; use a smaller network or --device cpu."
                    ) from error
            self.pieces *= 2
            _empty_gpu_cache()
            self._notes.append(f"Out of memory with {size} rows at once; batches are now computed in pieces half that.")


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _empty_gpu_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
