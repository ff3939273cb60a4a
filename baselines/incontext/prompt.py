"""The prompt: a versioned template, and the messages made from it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ...benchmark.errors import ModelError

if TYPE_CHECKING:
    from ...benchmark.predictor import RunContext

PACKAGED = "v1"
Message = dict[str, Any]

# What an endpoint that knows JSON schemas is asked to keep to.
ANSWER_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "prediction",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"value": {"type": "number"}},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Sample:
    """What the model is shown of one row: PNG bytes, a text, or both."""

    image: bytes | None
    text: str | None


class Template(BaseModel):
    """A prompt as written: a version, and two Jinja templates."""

    model_config = ConfigDict(extra="forbid")

    version: str
    system: str
    question: str


@dataclass(frozen=True)
class Prompt:
    """A prompt file, read.

    Attributes:
        template: its content.
        sha256: hash of the file.
    """

    template: Template
    sha256: str

    def facts(self, context: RunContext, targets: np.ndarray) -> dict[str, Any]:
        """What the templates may say of the task.

        Args:
            context: the run.
            targets: training targets, shape (n,), in the task's unit.
        """
        numbers = {"low": targets.min(), "median": np.median(targets), "high": targets.max()}
        return {
            "target": context.target,
            "description": context.description,
            "unit": context.unit,
            **{name: short(value) for name, value in numbers.items()},
        }

    def messages(
        self, facts: Mapping[str, Any], examples: Sequence[tuple[Sample, float]], query: Sample
    ) -> list[Message]:
        """The conversation: the role, each example with its value as the answer, the question.

        Raises:
            ModelError: a template asks for something that is not there.
        """
        shown = {"image": query.image is not None, "text": query.text is not None}
        messages: list[Message] = [{"role": "system", "content": _render(self.template.system, {**facts, **shown})}]
        for sample, value in examples:
            messages.append(self._question(facts, sample))
            messages.append({"role": "assistant", "content": json.dumps({"value": float(short(value))})})
        return [*messages, self._question(facts, query)]

    def _question(self, facts: Mapping[str, Any], sample: Sample) -> Message:
        shown = {"image": sample.image is not None, "text": sample.text}
        text = _render(self.template.question, {**facts, **shown})
        if sample.image is None:
            return {"role": "user", "content": text}  # what servers without vision read, too
        image = {"type": "image_url", "image_url": {"url": _data_url(sample.image)}}
        return {"role": "user", "content": [{"type": "text", "text": text}, image]}


def read_prompt(name: str) -> Prompt:
    """The packaged prompt `v1`, or a file like it.

    Raises:
        ModelError: there is no such file, or it is no prompt.
    """
    packaged = Path(__file__).parent / f"prompt_{name}.yaml"
    path = packaged if packaged.is_file() else Path(name)
    try:
        content = path.read_bytes()
        template = Template.model_validate(yaml.safe_load(content))
    except OSError as error:
        raise ModelError(
            f"There is no prompt '{name}'; give {PACKAGED}, or the path of a yaml file like it."
        ) from error
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is no prompt; it needs the texts version, system and question and no more."
        ) from error
    return Prompt(template, hashlib.sha256(content).hexdigest())


def short(value: float) -> str:
    """A number as a prompt says it: six significant digits."""
    return f"{value:.6g}"


@lru_cache(maxsize=256)  # examples come again and again
def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


@lru_cache(maxsize=8)
def _compiled(source: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined).from_string(source)


def _render(source: str, facts: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError

    try:
        return _compiled(source).render(**facts)
    except TemplateError as error:
        raise ModelError(f"The prompt cannot be filled in: {error}; known are {', '.join(facts)}.") from error
