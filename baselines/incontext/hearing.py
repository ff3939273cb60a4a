"""What was answered about some rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import Question
from .failures import RejectedError
from .replies import FILTERED, OK, REFUSED, UNPARSED, read_reply
from .store import Answer
from .usage import UsageCount

_GRAVITY = (OK, UNPARSED, REFUSED, FILTERED, "error")


class Hearing:
    """Answers about some rows, read as they come.

    Args:
        rows: how many.
        unit: unit of the target.
        usage: counts what they took.
    """

    def __init__(self, rows: int, unit: str, usage: UsageCount) -> None:
        self._values: list[list[float]] = [[] for _ in range(rows)]
        self._strict: list[list[float]] = [[] for _ in range(rows)]
        self._unit, self._usage = unit, usage
        self.statuses = [OK] * rows
        self._is_cut = False
        self.rejections: list[str] = []
        self.left_out: set[str] = set()

    def listen(self, question: Question, answer: Answer | RejectedError) -> dict[str, Any]:
        """Read one answer.

        Returns:
            What is kept of it for people.
        """
        if isinstance(answer, RejectedError):
            self.rejections.append(answer.remedy)
            self._set_status(question.row, answer.status)
            return {"status": answer.status, "reason": answer.remedy}
        self._usage.add(answer)
        said = answer.completion
        reading = read_reply(said, self._unit)
        self._usage.cut += reading.cut
        self._is_cut |= reading.cut
        self.left_out |= set(answer.left_out)
        if reading.flexible is not None:
            self._values[question.row].append(reading.flexible)
        if reading.strict is not None:
            self._strict[question.row].append(reading.strict)
        self._set_status(question.row, reading.status)
        return {
            "status": reading.status,
            "value": reading.flexible,
            "strict": reading.strict,
            "reply": said.text,
            "model": said.model,
            "seconds": answer.seconds,
            "tokens": [said.prompt_tokens, said.completion_tokens],
        }

    def medians(self, strictly: bool = False) -> np.ndarray:
        """The median of each row's answers, shape (n,); NaN where there is none."""
        lists = self._strict if strictly else self._values
        return np.array([np.median(values) if values else np.nan for values in lists], dtype=float)

    def deviations(self) -> np.ndarray:
        """Their standard deviation, shape (n,); NaN where there are less than two."""
        return np.array(
            [np.std(np.sort(values), ddof=1) if len(values) > 1 else np.nan for values in self._values], dtype=float
        )

    def remarks(self, max_tokens: int) -> list[str]:
        """What the reader of a result should know."""
        found = []
        if self._is_cut:
            found.append(
                f"Answers were cut off at max_tokens={max_tokens}; a cut answer counts only where it holds a whole "
                "JSON object."
            )
        if self.rejections:
            found.append(f"Not every question has an answer; one: {self.rejections[0]}")
        if self.left_out:
            found.append(f"The endpoint does not take {', '.join(sorted(self.left_out))}; asked without.")
        return found

    def _set_status(self, row: int, status: str) -> None:
        """A row that has a number is fine, whatever its other samples say; of several reasons the gravest counts."""
        self._usage.statuses[status] += 1
        gravest = max(status, self.statuses[row], key=_GRAVITY.index)
        self.statuses[row] = OK if self._values[row] else gravest
