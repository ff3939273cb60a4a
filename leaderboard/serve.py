"""A local look at the page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve_page(page: str, ready: Callable[[str], None], port: int = 0) -> None:
    """Serve one page on this machine until it is interrupted.

    Args:
        page: the HTML.
        ready: called with the address.
        port: 0 for any that is free.
    """
    content = page.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The page, at its address only."""
            found = self.path.partition("?")[0] == "/"
            self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content) if found else 0))
            self.end_headers()
            if found:
                with contextlib.suppress(ConnectionError):  # the reader left
                    self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Requests are not logged."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        ready(f"http://127.0.0.1:{server.server_port}/")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
