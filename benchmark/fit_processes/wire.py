"""Messages between the process that evaluates and the processes that fit: JSON with bytes behind it.

What comes back from a fit is a stranger's, so it is JSON and never pickled.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Any

_HEAD = struct.Struct(">QQ")
_LARGEST = 2**33  # bytes of one message


class Wire:
    """One end of a connection.

    Args:
        connection: a connected stream socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """For `select`."""
        return self.connection.fileno()

    def send(self, message: dict[str, Any], body: bytes | memoryview = b"") -> None:
        """Send a message.

        Raises:
            OSError: the other end is gone.
        """
        text = json.dumps(message).encode()
        with self._lock:
            self.connection.sendall(_HEAD.pack(len(text), len(body)))
            self.connection.sendall(text)
            self.connection.sendall(body)

    def receive(self) -> tuple[dict[str, Any], bytearray]:
        """The next message.

        Raises:
            EOFError: the other end is gone, or sent something else.
        """
        sizes = _HEAD.unpack(self._exactly(_HEAD.size))
        if sum(sizes) > _LARGEST:
            raise EOFError
        text, body = (self._exactly(size) for size in sizes)
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise EOFError from error
        if not isinstance(message, dict):
            raise EOFError
        return message, body

    def send_descriptor(self, descriptor: int) -> None:
        """Hand an open file to the other end."""
        socket.send_fds(self.connection, [b"0"], [descriptor])

    def receive_descriptor(self) -> int:
        """The open file that the other end hands over."""
        _, descriptors, _, _ = socket.recv_fds(self.connection, 1, 1)
        if not descriptors:
            raise EOFError
        return descriptors[0]

    def close(self) -> None:
        """Close this end."""
        self.connection.close()

    def _exactly(self, size: int) -> bytearray:
        content = bytearray(size)
        view, done = memoryview(content), 0
        while done < size:
            try:
                got = self.connection.recv_into(view[done:])
            except ConnectionError as error:
                raise EOFError from error
            if got == 0:
                raise EOFError
            done += got
        return content
