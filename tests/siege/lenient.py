"""A balancer as careless as any: what two readers could understand differently it understands its own way.

Lines end in LF, with or without CR; names are compared after blanks are cut off; the last Content-Length
counts, as far as it is a number, and Transfer-Encoding is not known. It passes on what it was sent, byte by
byte, but for the stamp on each request, over one connection for each client's.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading

PATIENCE_S = 0.5  # with a service that waits for more


class Lenient(socketserver.ThreadingTCPServer):
    """Serves until close(), which waits for what is under way."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, backend: int, stamp: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.backend, self.stamp = backend, stamp.encode()
        self.port: int = self.server_address[1]
        self.n_forwarded = 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(socketserver.StreamRequestHandler):
    """One client and its connection to the service."""

    timeout = PATIENCE_S
    server: Lenient

    def handle(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.server.backend), timeout=PATIENCE_S) as service:
                while head := self.read_head():
                    self.server.n_forwarded += 1
                    stamp = b"X-Request-Id: %s%d\r\n" % (self.server.stamp, self.server.n_forwarded)
                    service.sendall(head[0] + stamp + b"".join(head[1:]) + self.rfile.read(length_of(head)))
                    self.wfile.write(read_answer(service))
        except OSError:
            pass  # one of the two has left, or is silent

    def read_head(self) -> list[bytes]:
        """Lines as they came, the empty one last."""
        lines: list[bytes] = []
        while line := self.rfile.readline(65536):
            lines.append(line)
            if not line.strip(b"\r\n\0 ") and len(lines) > 1:
                return lines
        return []


def length_of(head: list[bytes]) -> int:
    length = 0
    for line in head[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and (digits := re.search(rb"\d+", value)):
            length = min(int(digits[0]), 1 << 20)
    return length


def read_answer(service: socket.socket) -> bytes:
    """One answer with a Content-Length, and whatever came with it."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        if not (piece := service.recv(65536)):
            raise ConnectionError("closed without an answer")
        answer += piece
    head = answer.split(b"\r\n\r\n", 1)[0]
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    whole = len(head) + 4 + (int(length[1]) if length else 0)
    while len(answer) < whole and (piece := service.recv(65536)):
        answer += piece
    return answer
