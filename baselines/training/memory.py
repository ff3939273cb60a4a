"""Running out of memory: work is halved until it fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ...benchmark.errors import EcdbenchError

Result = TypeVar("Result")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch could not get memory, on whatever device."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


class Halving:
    """Cuts batches into pieces that fit the memory; once halved, it stays so.

    Attributes:
        pieces: into how many pieces a batch is cut.
    """

    def __init__(self, notes: list[str]) -> None:
        self.pieces = 1
        self._notes = notes

    def run(
        self, rows: np.ndarray, work: Callable[[np.ndarray], Result], start: Callable[[], object] = lambda: None
    ) -> list[Result]:
        """Call `start`, then `work` on the pieces of a batch, in order; all over again where memory ran out.

        Raises:
            EcdbenchError: a single row does not fit.
        """
        while True:
            size = -(-len(rows) // self.pieces)
            start()
            try:
                return [work(rows[first : first + size]) for first in range(0, len(rows), size)]
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise EcdbenchError(
                        "There is not enough memory for a single row; use a smaller network or --device cpu."
                    ) from error
            self.pieces *= 2
            self._release()
            self._notes.append(f"Memory ran out with {size} rows at once; batches are computed in pieces of half that.")

    @staticmethod
    def _release() -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
