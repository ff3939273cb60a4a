"""An OpenAI-compatible endpoint whose answers are made up, for what no real one does on demand: faults, limits, bills.

An answer depends on the request alone. A request counts as paid when its whole answer goes to a client that is still
there; one whose client has gone is dropped, as inference servers do.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

Reply = Any  # a text, or (status, json), or None for the usual answer
RETRYABLE = (429, 500, 502, 503, "cut", "html", "drop")


def value_of(body: dict[str, Any]) -> float:
    """The made-up answer to a request."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    return round(int.from_bytes(digest[:4], "big") / 2**32 * 300, 3)


class LanguageModel:
    """The endpoint.

    Attributes:
        latency: seconds an answer takes.
        share: share of the requests that meet a fault.
        reply: takes a request's body and says how to answer it; None for the usual answer.
        headers: sent with every answer.
        remembers: whether a request is paid once per `Idempotency-Key`.
        paid: how often each request was paid, by its hash.
        bodies: the requests, in order.
        seen: Authorization headers.
        faults: what was injected.
    """

    def __init__(self, latency: float = 0.0, share: float = 0.0, reply: Callable[[dict], Reply] | None = None) -> None:
        self.latency, self.share, self.reply = latency, share, reply
        self.headers: dict[str, str] = {}
        self.paid: Counter[str] = Counter()
        self.paid_at: dict[str, list[float]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.seen: list[str] = []
        self.faults: list[Any] = []
        self.gone = 0
        self.most_at_once = self._at_once = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.polls_until_done = 2
        self.remembers = False
        self._known: set[str] = set()
        self._random, self._lock = random.Random(0), threading.Lock()

    @property
    def sent(self) -> int:
        """Requests that came in."""
        return len(self.bodies)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        self.seen.append(request.headers.get("Authorization", ""))
        if request.path.endswith("/chat/completions"):
            return self._complete(request, environ, start_response)
        return self._batch(request)(environ, start_response)

    def _complete(self, request: Request, environ: dict, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = json.loads(request.get_data())
        with self._lock:
            self.bodies.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = self._random.choice(RETRYABLE) if self._random.random() < self.share else None
            if fault:
                self.faults.append(fault)
        try:
            time.sleep(self.latency)
            status, answer = self._answer(body)
        finally:
            with self._lock:
                self._at_once -= 1
        if isinstance(fault, int):
            status, answer = fault, {"error": {"message": "injected", "code": None}}
        text = "<html>proxy</html>" if fault == "html" else json.dumps(answer)
        if fault == "drop":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        if _has_gone(environ["werkzeug.socket"]):
            self.gone += 1
            return []
        tag = request.headers["Idempotency-Key"]
        if fault is None and status == 200 and not (self.remembers and tag in self._known):
            self._known.add(tag)
            key = hashlib.sha256(request.get_data()).hexdigest()
            with self._lock:
                self.paid[key] += 1
                self.paid_at.setdefault(key, []).append(time.monotonic())
        content = text.encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **self.headers}
        headers |= {"Retry-After": "0.05"} if status == 429 and "Retry-After" not in headers else {}
        start_response(f"{status} STATUS", list(headers.items()))
        return [content[: len(content) // 2] if fault == "cut" else content]

    def _answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = self.reply(body) if self.reply else None
        if isinstance(found, tuple):
            return found
        return 200, completion(body, json.dumps({"value": value_of(body)}) if found is None else found)

    def _batch(self, request: Request) -> Response:
        """Files and batches; one is done after a few looks at it."""
        path = request.path.removeprefix("/v1")
        if request.method == "POST" and path == "/files":
            name = f"file-{len(self.files)}"
            self.files[name] = request.files["file"].read()
            found: Any = {
                "id": name,
                "object": "file",
                "bytes": 1,
                "created_at": 0,
                "filename": "b",
                "purpose": "batch",
            }
        elif request.method == "POST" and path == "/batches":
            found = self._new_batch(request.get_json())
        elif path == "/batches":
            found = {"object": "list", "data": [_public(b) for b in self.batches.values()], "has_more": False}
        elif (match := re.fullmatch(r"/batches/(.+)", path)) and match[1] in self.batches:
            found = self._look(self.batches[match[1]])
        elif match := re.fullmatch(r"/files/(.+)/content", path):
            return Response(self.files[match[1]], 200)
        else:
            return Response(json.dumps({"error": {"message": "Not Found"}}), 404, mimetype="application/json")
        return Response(json.dumps(found), 200, mimetype="application/json")

    def _new_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = f"batch-{len(self.batches)}"
        self.batches[name] = {
            **asked,
            "id": name,
            "object": "batch",
            "created_at": 0,
            "status": "in_progress",
            "looks": 0,
        }
        return _public(self.batches[name])

    def _look(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch["looks"] += 1
        if batch["looks"] >= self.polls_until_done and batch["status"] == "in_progress":
            lines = []
            for line in self.files[batch["input_file_id"]].decode().splitlines():
                entry = json.loads(line)
                status, answer = self._answer(entry["body"])
                if status == 200:
                    self.paid[hashlib.sha256(json.dumps(entry["body"]).encode()).hexdigest()] += 1
                response = {"status_code": status, "body": answer}
                lines.append(json.dumps({"custom_id": entry["custom_id"], "response": response}))
            self.files[f"out-{batch['id']}"] = "\n".join(lines).encode()
            batch |= {"status": "completed", "output_file_id": f"out-{batch['id']}"}
        return _public(batch)


def completion(body: dict[str, Any], text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion."""
    said = {"role": "assistant", "content": text, **message}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": f"{body['model']}-0001",
        "choices": [{"index": 0, "finish_reason": finish, "message": said}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def _public(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name != "looks"}


def _has_gone(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
