"""A language model that is shown examples and asked for the next value."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmark.errors import ModelError
from .incontext.address import endpoint_url
from .incontext.asking import Asking, Question
from .incontext.batch import Batches
from .incontext.checks import extra_fields, require_temperature, require_texts, require_variable
from .incontext.conversation import Conversation
from .incontext.endpoint import Endpoint
from .incontext.examples import SELECTIONS
from .incontext.failures import RejectedError
from .incontext.hearing import Hearing
from .incontext.loop import run
from .incontext.prices import find_price
from .incontext.prompt import read_prompt
from .incontext.rows import Rows
from .incontext.store import Answer, AnswerStore, answer_key
from .incontext.usage import UsageCount
from .incontext.variants import Variant
from .training.checks import require_choice, require_whole

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class InContext:
    """A language model behind an OpenAI-compatible endpoint, shown examples of the training set in its prompt.

    As in Section 4.3 of arXiv 2401.09301: the model is told its role, shown `shots` examples (image, text, value), and
    asked for the value of each row. Any chat-completions endpoint will do. Answers are kept and paid once. Replies are
    read strictly (the JSON asked for) and flexibly (a number in them); the flexible reading is the prediction.

    Args:
        model: name of the model, as the endpoint knows it.
        base_url: the endpoint; by default `OPENAI_BASE_URL`, or OpenAI.
        shots: how many examples, 0 for none.
        selection: `random`, `stratified` over the targets, or `nearest` by composition.
        image: whether images are shown.
        samples: answers per row; of several, the median counts and their spread is recorded.
        temperature: of sampling; null leaves it to the endpoint.
        max_tokens: of an answer at most, a reasoning model's thoughts included.
        prompt: `v1`, or the path of a yaml file like it.
        api_key_env: name of the environment variable that holds the key.
        extra: further fields of each request, as in {"reasoning_effort": "low"}.
    """

    asks_service = True
    extra = "llm"
    inputs: tuple[str, ...] = ("image", "text")

    def __init__(
        self,
        model: str = "",
        base_url: str | None = None,
        shots: int = 5,
        selection: str = "random",
        image: bool = True,
        samples: int = 1,
        temperature: float | None = 0.0,
        max_tokens: int = 1024,
        prompt: str = "v1",
        api_key_env: str = "OPENAI_API_KEY",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        require_whole("shots", shots, least=0)
        require_whole("samples", samples)
        require_whole("max_tokens", max_tokens)
        require_choice("selection", selection, SELECTIONS)
        require_texts(model=model, base_url=base_url, prompt=prompt)
        require_temperature(temperature, samples)
        require_variable(api_key_env)
        if not isinstance(image, bool):
            raise ModelError(f"image={image!r} makes no sense; give true or false.")
        self.model, self.base_url = str(model), base_url
        self.samples, self.temperature, self.max_tokens = samples, temperature, max_tokens
        self.prompt, self.api_key_env, self.extra_fields = str(prompt), api_key_env, extra_fields(extra)
        self._shown = Variant("", image, True, shots, selection)
        self.inputs = self._shown.inputs
        self._last: tuple[Dataset, Hearing] | None = None

    def fingerprint(self) -> dict[str, Any]:
        """The prompt and the endpoint."""
        return {"prompt": read_prompt(self.prompt).sha256, "endpoint": endpoint_url(self.base_url)}

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Keep the training rows to take examples from; nothing is sent. Validation is never shown."""
        if not self.model:
            raise ModelError("The model in-context needs the name of a language model: --set model=NAME.")
        self._context, self._url = context, endpoint_url(self.base_url)
        train_rows, targets = Rows(train), np.asarray(train["target"], dtype=float)
        template, fields = read_prompt(self.prompt), self._fields()
        self._conversation = Conversation(template, train_rows, targets, context, fields, self.samples)
        self._price = find_price(self._url, self.model, context.service.prices)
        self._usage, self._probe_usage = UsageCount(self._price), UsageCount(self._price)
        self._sent_before = context.service.budget.requests
        if context.service.budget.max_cost is not None and self._price is None:
            raise ModelError(
                f"What {self.model} costs at {self._url} is not known, so --max-cost cannot be kept; give the price "
                "with --prices FILE, or bound the run with --max-requests."
            )
        if not self._shown.image and not train_rows.has_text:
            raise ModelError("Nothing would be shown: choose a text tier (--text single), or leave image as it is.")

    def predict(self, data: Dataset) -> np.ndarray:
        """Ask for each row; NaN where no number was answered."""
        return self._heard(data).medians()

    def predict_std(self, data: Dataset) -> np.ndarray | None:
        """Standard deviation of each row's samples; None with one sample."""
        return self._heard(data).deviations() if self.samples > 1 else None

    def predict_stages(self, data: Dataset) -> dict[str, np.ndarray]:
        """Replies read strictly, beside the flexible reading that is the prediction."""
        heard = self._heard(data)
        return {"strict parser": heard.medians(strictly=True), "flexible parser": heard.medians()}

    def predict_status(self, data: Dataset) -> dict[str, str]:
        """`ok`, `unparsed`, `refused`, `filtered` or `error`."""
        return dict(zip(data["id"], self._heard(data).statuses, strict=True))

    def predict_probes(self, data: Dataset) -> dict[str, np.ndarray]:
        """Predictions without the image, the text or the examples, and with those of another row."""
        rows = Rows(data)
        variants = self._shown.with_text(rows.has_text).probes()
        return {variant.name: self._ask(rows, variant, self._probe_usage).medians() for variant in variants}

    def preview(self, data: Dataset, probes: bool) -> Iterator[dict[str, Any]]:
        """Every request as it would be sent, with what it would take; nothing is sent."""
        rows = Rows(data)
        own = self._shown.with_text(rows.has_text)
        with self._line() as (store, asker):
            for variant in [own, *(own.probes() if probes else [])]:
                for question in self._conversation.questions(rows, variant):
                    kept = store.get(answer_key(self._url, question.body, question.sample))
                    if kept is not None:
                        asker.learn(question.body, kept)
                    yield {
                        "id": rows.ids[question.row],
                        "sample": question.sample,
                        "probe": variant.name,
                        "endpoint": self._url,
                        "request": question.body,
                        "tokens": asker.estimated_tokens(question.body),
                        "largest_cost": asker.estimated_cost(question.body, self._context.service.batch),
                        "is_kept": kept is not None,
                    }

    def usage(self) -> dict[str, Any]:
        """Tokens, dollars and seconds of the answers that the predictions rest on, probes left out."""
        return self._usage.record(self._context.service.budget.requests - self._sent_before)

    def info(self) -> dict[str, Any]:
        """Endpoint, prompt and its hash, how answers were asked for, what probes took."""
        template = self._conversation.template
        said = {
            "endpoint": self._url,
            "prompt": template.template.version,
            "prompt_sha256": template.sha256,
        }
        if self._last is not None and self._last[1].left_out:
            said["left_out"] = ", ".join(sorted(self._last[1].left_out))
        if self._probe_usage.answers:
            cost = "unknown cost" if self._probe_usage.cost is None else f"${self._probe_usage.cost:.4f}"
            said["probes"] = f"{self._probe_usage.answers} answers, {cost}"
        return said

    def _fields(self) -> dict[str, Any]:
        temperature = {} if self.temperature is None else {"temperature": self.temperature}
        return {"model": self.model, "max_tokens": self.max_tokens, **temperature, **self.extra_fields}

    def _heard(self, data: Dataset) -> Hearing:
        """The answers about some rows; of the rows asked about last, those at hand."""
        if self._last is None or self._last[0] is not data:
            rows = Rows(data)
            heard = self._ask(rows, self._shown.with_text(rows.has_text), self._usage)
            self._last = data, heard
            self._context.notes.extend(heard.remarks(self.max_tokens))
        return self._last[1]

    def _ask(self, rows: Rows, variant: Variant, usage: UsageCount) -> Hearing:
        """Ask about all rows, and read the replies as they come; each goes to `replies.jsonl`, too."""
        context, heard = self._context, Hearing(len(rows), self._context.unit, usage)

        def questions() -> Iterator[Question]:
            return self._conversation.questions(rows, variant)

        with (context.work_dir / "replies.jsonl").open("a", encoding="utf-8") as file:

            def deliver(question: Question, answer: Answer | RejectedError) -> None:
                line = {"id": rows.ids[question.row], "sample": question.sample, "probe": variant.name}
                file.write(json.dumps({**line, **heard.listen(question, answer)}, ensure_ascii=False) + "\n")

            async def converse() -> None:
                with self._line() as (_, asker):
                    try:
                        if context.service.batch:
                            await Batches(asker).ask(questions)
                        await asker.ask(questions, len(rows) * self.samples, deliver)
                    finally:
                        await asker.endpoint.close()

            run(converse)
        return heard

    @contextlib.contextmanager
    def _line(self) -> Iterator[tuple[AnswerStore, Asking]]:
        """The store of answers, and somebody who asks."""
        service = self._context.service
        store = AnswerStore(service.store or self._context.cache_dir / "answers.sqlite")
        endpoint = Endpoint(self._url, self.api_key_env, service.timeout)
        try:
            yield store, Asking(endpoint, store, service, self._price, self._context.progress)
        finally:
            store.close()
