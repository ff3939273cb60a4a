"""Rows as a conversation needs them: PNG bytes and texts, one row at a time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from .prompt import Sample

if TYPE_CHECKING:
    from datasets import Dataset


_ROWS_AT_HAND = 256


class Rows:
    """The inputs of a dataset, read when they are asked for; a density is never read."""

    def __init__(self, data: Dataset) -> None:
        from datasets import Image

        plain = data.with_format(None)
        shown = [name for name in ("image", "text") if name in data.column_names]
        self._data = plain.select_columns(shown).cast_column("image", Image(decode=False))
        self.ids: list[str] = list(plain["id"])
        self.has_text = "text" in shown
        self.formulas: list[str] | None = list(plain["formula"]) if "formula" in data.column_names else None
        self._row = lru_cache(_ROWS_AT_HAND)(self._data.__getitem__)  # examples come again and again

    def __len__(self) -> int:
        return len(self.ids)

    def sample(self, image_of: int | None, text_of: int | None) -> Sample:
        """What is shown: the image of one row and the text of one, or of another, or none.

        Args:
            image_of: row of the image.
            text_of: row of the text.
        """
        image = None if image_of is None else self._row(image_of)["image"]["bytes"]
        text = None if text_of is None or not self.has_text else self._row(text_of)["text"]
        return Sample(image, text)

    def formula(self, row: int) -> str | None:
        """Its formula, where rows have one."""
        return None if self.formulas is None else self.formulas[row]
