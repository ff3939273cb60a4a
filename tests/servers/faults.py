"""Serve a WSGI application in a thread, with faults on demand."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import make_server

STATUS = {429: "429 TOO MANY REQUESTS", 500: "500 ERROR", 502: "502 BAD GATEWAY", 503: "503 UNAVAILABLE"}


class Faulty:
    """Makes a share of the requests fail: by status, or by an answer that is cut off.

    `share` may be changed while it serves; `always` maps part of a path to a status.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], seed: int = 0) -> None:
        self.app = app
        self.share = 0.0
        self.always: dict[str, int] = {}
        self.injected: list[str] = []
        self.log: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        with self._lock:
            self.log.append(request)
            self.headers.append({k: v for k, v in environ.items() if k.startswith("HTTP_")})
            fault = next((status for part, status in self.always.items() if part in request), None)
            if fault is None and self._random.random() < self.share:
                fault = self._random.choice([500, 502, 429, 503, "cut"])
                self.injected.append(f"{fault} {request}")
        if fault == "cut":
            return _cut(self.app(environ, start_response))
        if fault is not None:
            body = b'{"detail": "injected"}'
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Retry-After", "0")]
            start_response(STATUS.get(fault, f"{fault} REFUSED"), headers)
            return [body]
        return self.app(environ, start_response)


def _cut(answer: Iterable[bytes]) -> list[bytes]:
    """The first half of an answer whose length was promised already."""
    whole = b"".join(answer)
    return [whole[: len(whole) // 2]]


class Serving:
    """A context in which an application is served on localhost; `url` says where."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Serving:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
