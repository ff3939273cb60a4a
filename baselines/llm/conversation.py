"""From rows to requests: which examples, images and texts each request shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.errors import ModelError
from ...benchmark.predictor import RunContext
from ...benchmark.probes import others
from ...tasks.composition import composition_features
from .prompt import ANSWER_FORMAT, Message, Prompt, RowContent
from .scheduler import Request

if TYPE_CHECKING:
    from datasets import Dataset

SELECTIONS = ("random", "stratified", "nearest")
_CACHED_ROWS = 256


@dataclass(frozen=True)
class Variant:
    """What a request shows: the model's regular request, or an ablation of it.

    Attributes:
        name: name of the probe; empty for the regular request.
        image: whether images are shown.
        text: whether texts are shown.
        shots: number of examples.
        selection: how they are chosen.
        other_image: whether the image in the question is another row's.
        other_text: whether the text in the question is another row's.
    """

    name: str
    image: bool
    text: bool
    shots: int
    selection: str
    other_image: bool = False
    other_text: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that a request depends on; nearest examples also reveal the composition."""
        formula = self.shots > 0 and self.selection == "nearest"
        seen = (("image", self.image), ("text", self.text), ("formula", formula))
        return tuple(name for name, is_seen in seen if is_seen)

    def available(self, rows: Rows) -> Variant:
        """The same, with what the rows have."""
        return replace(self, image=self.image and rows.has_image, text=self.text and rows.has_text)

    def ablations(self) -> list[Variant]:
        """Variants that show what the answers rest on.

        Without the text, nearest examples would still reveal the composition; random ones replace them.
        """
        found = []
        if self.image:
            found.append(replace(self, name="image of another row", other_image=True))
        if self.image and self.text:
            selection = "random" if self.selection == "nearest" else self.selection
            found.append(replace(self, name="no image", image=False))
            found.append(replace(self, name="no text", text=False, selection=selection))
        if self.text:
            found.append(replace(self, name="text of another row", other_text=True))
        if self.shots:
            found.append(replace(self, name="no examples", shots=0))
        if self.shots and self.image and self.text:  # what remains is the model's memory
            found.append(replace(self, name="no image, no examples", image=False, shots=0))
        return found


class Rows:
    """The inputs of a dataset that prompts show, read on demand; densities are never read."""

    def __init__(self, data: Dataset) -> None:
        from datasets import Image

        plain = data.with_format(None)
        shown = [name for name in ("image", "text") if name in data.column_names]
        self._data = plain.select_columns(shown)
        self.has_image, self.has_text = "image" in shown, "text" in shown
        if self.has_image:
            self._data = self._data.cast_column("image", Image(decode=False))
        self.ids: list[str] = list(plain["id"])
        self.formulas: list[str] | None = list(plain["formula"]) if "formula" in data.column_names else None
        self._row = lru_cache(_CACHED_ROWS)(self._data.__getitem__)  # examples recur

    def __len__(self) -> int:
        return len(self.ids)

    def content(self, image_row: int | None, text_row: int | None) -> RowContent:
        """The image of one row and the text of one, possibly another; None for neither."""
        image = None if image_row is None else self._row(image_row)["image"]["bytes"]
        text = None if text_row is None else self._row(text_row)["text"]
        return RowContent(image, text)

    def formula(self, row: int) -> str | None:
        """The formula of a row, where rows have one."""
        return None if self.formulas is None else self.formulas[row]


class ExamplePool:
    """The training rows of a fit, from which examples are chosen.

    A choice depends on the seed and on the query alone: not on the order of rows or queries, nor on which other queries
    there are. A row is never an example for itself.
    """

    def __init__(self, ids: Sequence[str], targets: np.ndarray, formulas: Sequence[str] | None, seed: int) -> None:
        self._by_id = sorted(range(len(ids)), key=lambda row: ids[row])
        self._ids, self._targets, self._formulas, self._seed = ids, targets, formulas, seed

    def choose(self, shots: int, selection: str, sample_id: str, formula: str | None) -> list[int]:
        """Training rows in the order in which they are shown.

        Args:
            shots: how many.
            selection: `random`; `stratified`: one from each of `shots` equal parts of the sorted targets, shuffled;
                `nearest`: those of the most similar composition, the most similar last.
            sample_id: id of the query.
            formula: formula of the query, for `nearest`.

        Raises:
            ModelError: there are not enough rows, or no formulas.
        """
        rows = [row for row in self._by_id if self._ids[row] != sample_id]
        if shots > len(rows):
            raise ModelError(f"shots={shots} exceeds the number of training rows ({len(rows)}); use fewer.")
        if shots == 0:
            return []
        if selection == "nearest":
            return self._nearest(rows, shots, formula)
        digest = hashlib.sha256(f"{self._seed}/{sample_id}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        if selection == "random":
            return [rows[i] for i in generator.choice(len(rows), shots, replace=False)]
        by_target = sorted(rows, key=lambda row: self._targets[row])  # ties stay in the order of ids
        chosen = [int(generator.choice(part)) for part in np.array_split(np.array(by_target), shots)]
        return [chosen[i] for i in generator.permutation(shots)]

    def _nearest(self, rows: list[int], shots: int, formula: str | None) -> list[int]:
        if formula is None or self._formulas is None:
            raise ModelError("selection=nearest compares compositions, but these rows have no formula; use stratified.")
        features, mean, scale = self._compositions
        query = (composition_features([formula])[0] - mean) / scale
        distance = np.linalg.norm(features[rows] - query, axis=1).round(9)  # equal compositions are equally near
        return [rows[i] for i in np.argsort(distance, kind="stable")[:shots][::-1]]

    @cached_property
    def _compositions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert self._formulas is not None
        features = composition_features(self._formulas)
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale[scale == 0] = 1.0
        return (features - mean) / scale, mean, scale


@dataclass(frozen=True)
class Conversation:
    """What all requests of a fit have in common.

    Attributes:
        prompt: the prompt.
        train: rows from which examples are chosen.
        targets: their targets, shape (n,).
        context: the run.
        fields: fields of the request body besides messages, seed and response format, among them `model` and
            `max_tokens`.
        samples: requests per row.
    """

    prompt: Prompt
    train: Rows
    targets: np.ndarray
    context: RunContext
    fields: Mapping[str, Any]
    samples: int

    def requests(self, rows: Rows, variant: Variant) -> Iterator[Request]:
        """The requests about all rows, built one at a time."""
        partners = others(rows.ids)
        positions = {sample_id: row for row, sample_id in enumerate(rows.ids)}
        for row, sample_id in enumerate(rows.ids):
            other = positions[partners[sample_id]]
            image_row, text_row = (other if variant.other_image else row), (other if variant.other_text else row)
            chosen = self._pool.choose(variant.shots, variant.selection, sample_id, rows.formula(text_row))
            examples = [(_shown(self.train, e, e, variant), float(self.targets[e])) for e in chosen]
            messages = self.prompt.messages(self._facts, examples, _shown(rows, image_row, text_row, variant))
            for sample in range(self.samples):
                yield Request(row, self._body(messages, sample), sample)

    def _body(self, messages: list[Message], sample: int) -> dict[str, Any]:
        seed = 1000 * self.context.seed + sample
        return {"messages": messages, "seed": seed, "response_format": ANSWER_FORMAT, **self.fields}

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self.prompt.facts(self.context, self.targets)

    @cached_property
    def _pool(self) -> ExamplePool:
        return ExamplePool(self.train.ids, self.targets, self.train.formulas, self.context.seed)


def _shown(rows: Rows, image_row: int, text_row: int, variant: Variant) -> RowContent:
    return rows.content(image_row if variant.image else None, text_row if variant.text else None)
