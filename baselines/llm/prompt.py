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
from pydantic import BaseModel, ConfigDict

from ...benchmark.errors import ModelError
from ...benchmark.plain_yaml import parse_yaml

if TYPE_CHECKING:
    from jinja2 import Environment

    from ...benchmark.predictor import RunContext

_LARGEST = 256 * 1024  # bytes of a prompt file
# What templates may hold. Without loops, calls and products, no text is longer than its template and the row's text.
_ALLOWED_NODES = frozenset({
    "Template", "Output", "TemplateData", "Name", "If", "Test", "Const", "CondExpr", "Not", "And", "Or", "Compare",
    "Operand", "Filter", "Concat", "Add", "Sub", "Div",
})  # fmt: skip
_ALLOWED_FILTERS = frozenset({
    "abs", "capitalize", "default", "float", "int", "length", "lower", "round", "string", "title", "trim", "upper",
})  # fmt: skip
REGRESSION, CLASSIFICATION = "regression", "classification"
Message = dict[str, Any]

# The schema that endpoints are asked to enforce.
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
class RowContent:
    """What the model is shown of one row: the bytes of a PNG image, a text, or both."""

    image: bytes | None
    text: str | None


class Template(BaseModel):
    """A prompt file: a version and two Jinja templates."""

    model_config = ConfigDict(extra="forbid")

    version: str
    system: str
    question: str


@dataclass(frozen=True)
class Prompt:
    """A prompt file for one kind of target.

    Attributes:
        template: its content.
        sha256: its hash.
        kind: `regression`, or `classification` for a binary target whose probability is asked for.
    """

    template: Template
    sha256: str
    kind: str

    def facts(self, context: RunContext, targets: np.ndarray) -> dict[str, Any]:
        """The variables of the templates that describe the task.

        Args:
            context: the run.
            targets: training targets, shape (n,), in the task's unit; 0 or 1 for classification.
        """
        statistics = {"low": targets.min(), "median": np.median(targets), "high": targets.max(), "mean": targets.mean()}
        return {
            "target": context.target,
            "description": context.description,
            "unit": context.unit,
            **{name: _six_digits(value) for name, value in statistics.items()},
        }

    def messages(
        self, facts: Mapping[str, Any], examples: Sequence[tuple[RowContent, float]], query: RowContent
    ) -> list[Message]:
        """The chat: the role of the model, each example with its value as the reply, the question.

        Raises:
            ModelError: a template uses an unknown variable, or cannot be rendered.
        """
        shown = {"image": query.image is not None, "text": query.text is not None}
        messages: list[Message] = [{"role": "system", "content": _render(self.template.system, {**facts, **shown})}]
        for content, value in examples:
            messages.append(self._question(facts, content))
            number = int(value) if self.kind == CLASSIFICATION else float(_six_digits(value))
            messages.append({"role": "assistant", "content": json.dumps({"value": number})})
        return [*messages, self._question(facts, query)]

    def _question(self, facts: Mapping[str, Any], content: RowContent) -> Message:
        shown = {"image": content.image is not None, "text": content.text}
        text = _render(self.template.question, {**facts, **shown})
        if content.image is None:
            return {"role": "user", "content": text}  # servers without vision accept nothing else
        image = {"type": "image_url", "image_url": {"url": _data_url(content.image)}}
        return {"role": "user", "content": [{"type": "text", "text": text}, image]}


def read_prompt(name: str, kind: str) -> Prompt:
    """A packaged prompt, such as `v1`, for a kind of target, or a yaml file of the same form.

    Raises:
        ModelError: there is no such file, or it is not a prompt.
    """
    packaged = Path(__file__).parent / f"prompt_{name}{'' if kind == REGRESSION else f'_{kind}'}.yaml"
    path = packaged if packaged.is_file() else Path(name)
    if not path.is_file():
        raise ModelError(f"There is no prompt file '{name}'; give v1, or the path of a yaml file of the same form.")
    if path.stat().st_size > _LARGEST:
        raise ModelError(f"{path} is no prompt: it has more than {_LARGEST >> 10} KiB.")
    content = path.read_bytes()
    try:
        template = Template.model_validate(parse_yaml(content.decode()))
    except ValueError as error:
        raise ModelError(
            f"{path} is not a prompt; it needs the texts version, system and question, and nothing else."
        ) from error
    for source in (template.system, template.question):
        _check_template(path, source)
    return Prompt(template, hashlib.sha256(content).hexdigest(), kind)


def _check_template(path: Path, source: str) -> None:
    from jinja2 import TemplateSyntaxError, nodes

    try:
        tree = _environment().parse(source)
    except (TemplateSyntaxError, RecursionError) as error:
        raise ModelError(f"{path} is not a Jinja template ({error}); mend it.") from error
    for node in tree.find_all(nodes.Node):
        kind = type(node).__name__
        if kind not in _ALLOWED_NODES or (isinstance(node, nodes.Filter) and node.name not in _ALLOWED_FILTERS):
            what = f"the filter {node.name}" if isinstance(node, nodes.Filter) else kind
            raise ModelError(
                f"{path} uses {what} of Jinja; a prompt has variables, conditions, sums and the filters "
                f"{', '.join(sorted(_ALLOWED_FILTERS))}."
            )


def _six_digits(value: float) -> str:
    return f"{value:.6g}"


@lru_cache(maxsize=256)  # examples recur
def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined)


@lru_cache(maxsize=8)
def _compiled(source: str) -> Any:
    return _environment().from_string(source)


def _render(source: str, variables: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError

    try:
        return _compiled(source).render(**variables)
    except TemplateError as error:
        raise ModelError(
            f"The prompt cannot be rendered: {error}; its variables are {', '.join(variables)}."
        ) from error
