"""A language model that is shown examples in its prompt and asked for the value of each row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmark.errors import ModelError
from .hyperparameters import require_choice, require_integer
from .llm.batch import BatchRunner
from .llm.client import Endpoint, endpoint_url
from .llm.conversation import SELECTIONS, Conversation, Rows, Variant
from .llm.failures import RejectedError
from .llm.prompt import CLASSIFICATION, REGRESSION, read_prompt
from .llm.replies import Answer, ResponseCollector, read_reply
from .llm.scheduler import Request, RequestScheduler, run_coroutine
from .llm.store import AnswerStore, answer_key
from .llm.usage import CostEstimator, Service, UsageCounter, find_price

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext

# Fields of a request that have a parameter of their own, or that change what an answer is.
_RESERVED_FIELDS = ("messages", "model", "n", "stream", "max_tokens", "max_completion_tokens", "temperature", "seed",
                    "response_format")  # fmt: skip
_MAX_NAME_LENGTH = 1000


class InContext:
    """A language model behind an OpenAI-compatible endpoint, with examples from the training set in its prompt.

    As in Section 4.3 of arXiv:2401.09301: the model is told its role, shown `shots` examples (image, text, value), and
    asked for the value of each row. Any chat-completions endpoint works. Answers are stored, and paid for once. Replies
    are read strictly (the JSON that was asked for) and flexibly (what a careful reader takes for the answer); the
    flexible reading is the prediction. For a binary target the model is asked for the probability that it is true.

    Args:
        model: name of the model at the endpoint.
        base_url: the endpoint; by default `OPENAI_BASE_URL`, else OpenAI.
        shots: number of examples, 0 for none.
        selection: `random`, `stratified` over the targets, or `nearest` by composition.
        image: whether images are shown.
        samples: answers per row; the median is the prediction, and the standard deviation is recorded.
        temperature: sampling temperature; null leaves it to the endpoint.
        max_tokens: maximum length of an answer, including the thoughts of a reasoning model.
        prompt: `v1`, or the path of a yaml file of the same form.
        api_key_env: name of the environment variable with the API key.
        request_options: further fields of each request, as in {"reasoning_effort": "low"}.

    Raises:
        ModelError: a parameter is invalid.
    """

    asks_service = True
    extra = "llm"
    inputs: tuple[str, ...] = ("id", "image", "text")

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
        request_options: Mapping[str, Any] | None = None,
    ) -> None:
        require_integer("shots", shots, minimum=0)
        require_integer("samples", samples)
        require_integer("max_tokens", max_tokens)
        require_choice("selection", selection, SELECTIONS)
        for name, value in {"model": model, "base_url": "" if base_url is None else base_url, "prompt": prompt}.items():
            _require_text(name, value)
        _require_temperature(temperature, samples)
        if not isinstance(api_key_env, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", api_key_env):
            raise ModelError(  # the value is not repeated, since it may be a key
                "api_key_env is not the name of an environment variable; name the variable that holds the key."
            )
        if not isinstance(image, bool):
            raise ModelError(f"image must be true or false (got {image!r:.60}).")
        _require_request_options(request_options)
        self.model, self.base_url, self.samples = str(model), base_url, samples
        self.prompt, self.api_key_env = str(prompt), api_key_env
        sampling = {} if temperature is None else {"temperature": temperature}
        self._fields = {"model": self.model, "max_tokens": max_tokens, **sampling, **(request_options or {})}
        self._variant = Variant("", image, True, shots, selection)
        self.inputs = ("id", *self._variant.inputs)  # replies are recorded by id
        self._last: tuple[Dataset, ResponseCollector] | None = None

    def fingerprint(self) -> dict[str, Any]:
        """The prompts, of which the kind of target selects one, and the endpoint."""
        prompts = [read_prompt(self.prompt, kind).sha256 for kind in (REGRESSION, CLASSIFICATION)]
        return {"prompts": prompts, "endpoint": endpoint_url(self.base_url)}

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Keep the training rows for examples; nothing is sent. Validation rows are never shown."""
        if not self.model:
            raise ModelError("The model in-context needs the name of a language model: --set model=NAME.")
        self._context, self._url = context, endpoint_url(self.base_url)
        self._service: Service = context.service or Service()
        self._kind = context.kind
        train_rows, targets = Rows(train), np.asarray(train["target"], dtype=float)
        prompt = read_prompt(self.prompt, self._kind)
        self._conversation = Conversation(prompt, train_rows, targets, context, self._fields, self.samples)
        self._price = find_price(self._url, self.model, self._service.prices)
        self._usage, self._probe_usage = UsageCounter(self._price), UsageCounter(self._price)
        self._sent_before = self._service.budget.requests
        if self._service.budget.max_cost is not None and self._price is None:
            raise ModelError(
                f"The price of {self.model} at {self._url} is not known, so --max-cost cannot be enforced; give the "
                "price with --prices FILE, or limit the run with --max-requests."
            )
        shown = self._variant.available(train_rows)
        if not (shown.image or shown.text):
            raise ModelError("Nothing would be shown: choose a text tier (--text single), or leave out image=false.")

    def predict(self, data: Dataset) -> np.ndarray:
        """Ask for each row, shape (n,); NaN where no number was answered."""
        return self._answers(data).medians()

    def predict_std(self, data: Dataset) -> np.ndarray | None:
        """Standard deviation of each row's samples, shape (n,); None with one sample."""
        return self._answers(data).deviations() if self.samples > 1 else None

    def predict_stages(self, data: Dataset) -> dict[str, np.ndarray]:
        """The strict reading of the replies, beside the flexible one that is the prediction."""
        answers = self._answers(data)
        return {"strict parser": answers.medians(strict=True), "flexible parser": answers.medians()}

    def predict_status(self, data: Dataset) -> dict[str, str]:
        """`ok`, `unparsed`, `refused`, `filtered` or `error`, by id."""
        return dict(zip(data["id"], self._answers(data).statuses, strict=True))

    def predict_probes(self, data: Dataset) -> dict[str, np.ndarray]:
        """Predictions without the image, the text or the examples, and with those of another row."""
        rows = Rows(data)
        ablations = self._variant.available(rows).ablations()
        return {variant.name: self._ask(rows, variant, self._probe_usage).medians() for variant in ablations}

    def preview(self, data: Dataset, probes: bool) -> Iterator[dict[str, Any]]:
        """Every request as it would be sent, with its estimated size and cost; nothing is sent."""
        rows, estimator = Rows(data), CostEstimator(self._price)
        regular = self._variant.available(rows)
        with self._open_store() as store:
            for variant in [regular, *(regular.ablations() if probes else [])]:
                for request in self._conversation.requests(rows, variant):
                    stored = store.get(answer_key(self._url, request.body, request.sample))
                    if stored is not None:
                        estimator.learn(request.body, stored.completion)
                    yield {
                        "id": rows.ids[request.row],
                        "sample": request.sample,
                        "probe": variant.name,
                        "endpoint": self._url,
                        "request": request.body,
                        "tokens": estimator.tokens(request.body),
                        "largest_cost": estimator.max_cost(request.body, self._service.batch),
                        "is_kept": stored is not None,
                    }

    def usage(self) -> dict[str, Any]:
        """Tokens, dollars and seconds of the answers behind the predictions, without those of probes."""
        return self._usage.usage(self._service.budget.requests - self._sent_before).model_dump()

    def info(self) -> dict[str, Any]:
        """Endpoint, prompt and its hash, fields that the endpoint refused, what probes took."""
        prompt = self._conversation.prompt
        found = {"endpoint": self._url, "prompt": prompt.template.version, "prompt_sha256": prompt.sha256}
        if self._last is not None and self._last[1].left_out:
            found["left_out"] = ", ".join(sorted(self._last[1].left_out))
        if self._probe_usage.answers:
            cost = "unknown cost" if self._probe_usage.cost is None else f"${self._probe_usage.cost:.4f}"
            found["probes"] = f"{self._probe_usage.answers} answers, {cost}"
        return found

    def _answers(self, data: Dataset) -> ResponseCollector:
        """The answers about some rows; those of the last call are reused."""
        if self._last is None or self._last[0] is not data:
            rows = Rows(data)
            answers = self._ask(rows, self._variant.available(rows), self._usage)
            self._last = data, answers
            self._context.notes.extend(answers.notes(self._fields["max_tokens"]))
        return self._last[1]

    def _ask(self, rows: Rows, variant: Variant, usage: UsageCounter) -> ResponseCollector:
        """Ask about all rows and read the replies as they arrive; each is also written to `replies.jsonl`."""
        read = partial(
            read_reply,
            unit=self._context.unit,
            is_probability=self._kind == CLASSIFICATION,
            target=self._context.target,
            description=self._context.description,
        )
        collector = ResponseCollector(len(rows), read, usage)
        requests = partial(self._conversation.requests, rows, variant)
        with (self._context.work_dir / "replies.jsonl").open("a", encoding="utf-8") as file:

            def collect(request: Request, answer: Answer | RejectedError) -> None:
                line = {"id": rows.ids[request.row], "sample": request.sample, "probe": variant.name}
                file.write(json.dumps({**line, **collector.add(request, answer)}, ensure_ascii=False) + "\n")

            async def send() -> None:
                endpoint = Endpoint(self._url, self.api_key_env, self._service.timeout)
                estimator, progress = CostEstimator(self._price), self._context.progress
                with self._open_store() as store:  # a connection belongs to the thread that opened it
                    scheduler = RequestScheduler(endpoint, store, self._service, estimator, progress)
                    try:
                        if self._service.batch:
                            await BatchRunner(scheduler).run(requests)
                        await scheduler.run(requests, len(rows) * self.samples, collect)
                    finally:
                        await endpoint.close()

            run_coroutine(send)
        return collector

    def _open_store(self) -> closing[AnswerStore]:
        return closing(AnswerStore(self._service.store or self._context.shared_dir / "answers.sqlite"))


def _require_text(name: str, value: Any) -> None:
    """A short text without NUL or lone surrogates; a number counts as one."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if text is None or len(text) > _MAX_NAME_LENGTH or "\0" in text or re.search("[\ud800-\udfff]", text):
        raise ModelError(f"invalid {name}={value!r:.60}: expected a short text.")


def _require_temperature(temperature: Any, samples: int) -> None:
    """A number from 0 to 2, or None; above 0 if there are several samples."""
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if temperature is not None and not (is_number and 0 <= temperature <= 2):
        raise ModelError(f"invalid temperature={temperature!r:.60}: expected a number from 0 to 2, or null.")
    if samples > 1 and temperature == 0:
        raise ModelError(f"samples={samples} at temperature 0 would all be equal; set a temperature, such as 0.7.")


def _require_request_options(options: Any) -> None:
    """A JSON object without fields that have a parameter of their own."""
    try:
        json.dumps(options, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        options = False
    if options is not None and (not isinstance(options, Mapping) or set(_RESERVED_FIELDS) & set(options)):
        raise ModelError(
            f"request_options must be a JSON object of further request fields, none of {', '.join(_RESERVED_FIELDS)}."
        )
