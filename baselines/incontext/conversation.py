"""From rows to requests: which examples, which pictures and texts, which fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...benchmark.predictor import RunContext
from ...benchmark.probes import others
from .asking import Question
from .examples import ExamplePool
from .prompt import ANSWER_FORMAT, Message, Prompt, Sample
from .rows import Rows
from .variants import Variant


@dataclass(frozen=True)
class Conversation:
    """What every question of a fit has in common.

    Attributes:
        template: the prompt.
        train: rows to take examples from.
        targets: their targets, shape (n,).
        context: the run.
        fields: fields of a request besides messages and seed; `model` and `max_tokens` are among them.
        samples: how often each question is asked.
    """

    template: Prompt
    train: Rows
    targets: np.ndarray
    context: RunContext
    fields: Mapping[str, Any]
    samples: int

    def questions(self, rows: Rows, variant: Variant) -> Iterator[Question]:
        """The questions about all rows, made one at a time."""
        partners = others(rows.ids)
        places = {material: place for place, material in enumerate(rows.ids)}
        for row, material in enumerate(rows.ids):
            other = places[partners[material]]
            image_of, text_of = (other if variant.other_image else row), (other if variant.other_text else row)
            chosen = self._pool.choose(variant.shots, variant.selection, material, rows.formula(text_of))
            examples = [(_shown(self.train, e, e, variant), float(self.targets[e])) for e in chosen]
            messages = self.template.messages(self._facts, examples, _shown(rows, image_of, text_of, variant))
            for sample in range(self.samples):
                yield Question(row, self._body(messages, sample), sample)

    def _body(self, messages: list[Message], sample: int) -> dict[str, Any]:
        seed = 1000 * self.context.seed + sample
        return {"messages": messages, "seed": seed, "response_format": ANSWER_FORMAT, **self.fields}

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self.template.facts(self.context, self.targets)

    @cached_property
    def _pool(self) -> ExamplePool:
        return ExamplePool(self.train.ids, self.targets, self.train.formulas, self.context.seed)


def _shown(rows: Rows, image_of: int, text_of: int, variant: Variant) -> Sample:
    return rows.sample(image_of if variant.image else None, text_of if variant.text else None)
