"""Rows as a conversation needs them: PNG bytes and texts, one row at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .prompt import Sample

if TYPE_CHECKING:
    from datasets import Dataset


class Rows:
    """The inputs of a dataset, read when they are asked for; a density is never read."""

    def __init__(self, data: Dataset) -> None:
        from datasets import Image

        wanted = [name for name in ("id", "image", "text", "formula") if name in data.column_names]
        plain = data.with_format(None).select_columns(wanted)
        self._data = plain.cast_column("image", Image(decode=False))
        self.ids: list[str] = list(plain["id"])
        self.has_text = "text" in wanted
        self.formulas: list[str] | None = list(plain["formula"]) if "formula" in wanted else None

    def __len__(self) -> int:
        return len(self.ids)

    def sample(self, image_of: int | None, text_of: int | None) -> Sample:
        """What is shown: the image of one row and the text of one, or of another, or none.

        Args:
            image_of: row of the image.
            text_of: row of the text.
        """
        image = None if image_of is None else self._data[image_of]["image"]["bytes"]
        text = None if text_of is None or not self.has_text else self._data[text_of]["text"]
        return Sample(image, text)

    def formula(self, row: int) -> str | None:
        """Its formula, where rows have one."""
        return None if self.formulas is None else self.formulas[row]
