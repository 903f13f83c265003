"""A proxy before a node that breaks what goes through it: real connections, really cut."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    head: bytes
    body: bytes


@dataclass(frozen=True)
class Trouble:
    """What becomes of a request.

    Attributes:
        kind: ``cut``: the connection is reset and the node hears nothing; ``half``: the node hears half of it;
            ``lost``: it is done, and the connection is reset before the answer; ``torn``: in the middle of the answer.
        status: answered by the proxy itself; 0 asks the node.
        seconds: waited before anything else.
    """

    kind: str = ""
    status: int = 0
    seconds: float = 0.0


FINE = Trouble()


class Proxy:
    """Listens on loopback while the ``with`` block lasts.

    Args:
        url: the node.
        trouble: what becomes of each request, asked one at a time.
    """

    def __init__(self, url: str, trouble: Callable[[Request], Trouble] = lambda request: FINE) -> None:
        self._host, self._port = str(urlsplit(url).hostname), int(urlsplit(url).port or 0)
        self._trouble, self._lock, self.troubled = trouble, threading.Lock(), 0

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), client.makefile("rb") as stream:
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = stream.readline()
                    if not line:
                        return
                    head += line
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = _header(head, b"content-length")
                request = Request(method, path, head, stream.read(int(length or 0)))
                with self._lock:
                    trouble = self._trouble(request)
                    self.troubled += trouble != FINE
                if not self._pass(client, request, trouble):
                    return

    def _pass(self, client: socket.socket, request: Request, trouble: Trouble) -> bool:
        """Deal with one request; False when the connection is over."""
        time.sleep(trouble.seconds)
        if trouble.kind == "cut":
            return _reset(client)
        if trouble.kind == "half":
            with socket.create_connection((self._host, self._port)) as node:
                whole = request.head + request.body
                node.sendall(whole[: len(whole) // 2])
                _reset(node)
            return _reset(client)
        answer = _forged(trouble.status) if trouble.status else self._asked(request)
        if answer is None or trouble.kind == "lost":
            return _reset(client)
        if trouble.kind == "torn":
            client.sendall(answer[: len(answer) // 2])
            return _reset(client)
        client.sendall(answer)
        return True

    def _asked(self, request: Request) -> bytes | None:
        """The node's answer; None when it gave none."""
        lines = request.head.decode("latin-1").split("\r\n")[1:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        try:
            node = HTTPConnection(self._host, self._port)
            node.request(request.method, request.path, request.body or None, headers)
            found = node.getresponse()
            body = found.read()
            node.close()
        except (OSError, HTTPException):
            return None
        kept = [f"{name}: {value}" for name, value in found.getheaders() if name.lower() in ("content-type", "warning")]
        return _answer(
            found.status, kept, body, found.getheader("content-length") if request.method == "HEAD" else None
        )


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def _forged(status: int) -> bytes:
    error = {"error": {"type": "proxy_exception", "reason": "the proxy answers for the cluster"}, "status": status}
    return _answer(status, ["content-type: application/json"], json.dumps(error).encode())


def _answer(status: int, headers: list[str], body: bytes, length: str | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} .", *headers, f"content-length: {length or len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _reset(connection: socket.socket) -> bool:
    """End it by RST instead of an orderly FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return False
