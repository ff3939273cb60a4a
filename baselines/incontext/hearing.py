"""What was answered about some rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import Question
from .endpoint import RejectedError
from .replies import OK, content_text, read_reply
from .store import Answer
from .usage import UsageCount


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
        self.statuses = ["error"] * rows
        self.cut = 0
        self.rejections: list[str] = []
        self.as_schema = True

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
        reading = read_reply(answer.response, self._unit)
        self.cut += reading.cut
        self.as_schema &= answer.as_schema
        if reading.flexible is not None:
            self._values[question.row].append(reading.flexible)
        if reading.strict is not None:
            self._strict[question.row].append(reading.strict)
        self._set_status(question.row, reading.status)
        return {
            "status": reading.status,
            "value": reading.flexible,
            "strict": reading.strict,
            "reply": content_text(answer.response["choices"][0].get("message") or {}),
            "model": answer.response.get("model"),
            "seconds": answer.seconds,
            "usage": answer.response.get("usage"),
        }

    def medians(self, strictly: bool = False) -> np.ndarray:
        """The median of each row's answers, shape (n,); NaN where there is none."""
        lists = self._strict if strictly else self._values
        return np.array([np.median(values) if values else np.nan for values in lists], dtype=float)

    def deviations(self) -> np.ndarray:
        """Their standard deviation, shape (n,); NaN where there are less than two."""
        return np.array([np.std(values, ddof=1) if len(values) > 1 else np.nan for values in self._values], dtype=float)

    def remarks(self, max_tokens: int) -> list[str]:
        """What the reader of a result should know."""
        found = []
        if self.cut:
            found.append(
                f"{self.cut} answers were cut off at max_tokens={max_tokens}; a cut answer counts only where it holds "
                "a whole JSON object."
            )
        if self.rejections:
            found.append(f"{len(self.rejections)} questions have no answer; the first: {self.rejections[0]}")
        return found

    def _set_status(self, row: int, status: str) -> None:
        """A row that has a number is fine, whatever its other samples say."""
        self._usage.statuses[status] += 1
        self.statuses[row] = OK if self._values[row] else status
