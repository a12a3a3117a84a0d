"""Framing that two readers could understand differently is refused: byte by byte, in heads and between chunks."""

from __future__ import annotations

import pytest
from service import SLOWNESS, Service, read_answer, voice

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /embed HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"

HEADS = {
    "a header line that ends in NUL LF": HEAD + b"A: b\0\nC: d\r\n\r\n",
    "the last header line ends in NUL LF": HEAD + b"A: b\0\n\r\n",
    "a NUL LF for the empty line": HEAD + b"\0\n",
    "a request line that ends in NUL LF": b"GET /livez HTTP/1.1\0\nHost: x\r\n\r\n",
    "a bare CR in a value": HEAD + b"A: b\rc\r\n\r\n",
    "a bare CR before CR LF": HEAD + b"A: b\r\r\n\r\n",
    "a bare CR in the target": b"GET /livez\r HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare LF": HEAD + b"A: b\nC: d\r\n\r\n",
    "a bare LF for the empty line": HEAD + b"\n",
    "a bell in a value": HEAD + b"A: b\x07c\r\n\r\n",
    "an escape at the start of a value": HEAD + b"A:\x1bc\r\n\r\n",
    "a DEL in a value": HEAD + b"A: b\x7f\r\n\r\n",
    "a vertical tab behind a value": HEAD + b"A: b\x0b\r\n\r\n",
    "a folded line": HEAD + b"A: b\r\n c\r\n\r\n",
    "a blank before the colon": HEAD + b"A : b\r\n\r\n",
    "no colon": HEAD + b"A b\r\n\r\n",
    "no name": HEAD + b": b\r\n\r\n",
    "Content-Length with a sign": HEAD + b"Content-Length: +0\r\n\r\n",
    "Content-Length twice": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "Content-Length as a list": HEAD + b"Content-Length: 0, 0\r\n\r\n",
    "Content-Length of nothing": HEAD + b"Content-Length:\r\n\r\n",
    "Content-Length of 20 digits": HEAD + b"Content-Length: 00000000000000000000\r\n\r\n",
    "chunked behind a vertical tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "two codings": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two blanks in the request line": b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the request line": b"GET\t/livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a version that is none": b"GET /livez HTTP/1.1x\r\nHost: x\r\n\r\n",
}

BODIES = {
    "a chunk size that ends in a bare LF": b"4\nabcd\r\n" + LAST,
    "a chunk size that ends in a bare CR": b"4\rabcd\r\n" + LAST,
    "a chunk that ends in a bare LF": b"4\r\nabcd\n" + LAST,
    "a chunk longer than its size": b"4\r\nabcde\r\n" + LAST,
    "a chunk without its end": b"4\r\nabcd" + LAST,
    "a NUL behind the size": b"4\0\r\nabcd\r\n" + LAST,
    "a blank behind the size": b"4 \r\nabcd\r\n" + LAST,
    "a blank before the size": b" 4\r\nabcd\r\n" + LAST,
    "a size with a sign": b"+4\r\nabcd\r\n" + LAST,
    "a size in another notation": b"0x4\r\nabcd\r\n" + LAST,
    "no size": b"\r\nabcd\r\n" + LAST,
    "a size of 17 digits": b"00000000000000004\r\nabcd\r\n" + LAST,
    "a NUL in an extension": b"4;a\0b\r\nabcd\r\n" + LAST,
    "a bare CR in an extension": b"4;a\rb\r\nabcd\r\n" + LAST,
    "a bare LF behind an extension": b"4;a\nabcd\r\n" + LAST,
    "an extension of 20 KB": b"4;" + b"e" * 20_000 + b"\r\nabcd\r\n" + LAST,
    "a last chunk with a bare LF": b"4\r\nabcd\r\n0\n\r\n",
    "a trailer with a bare LF": b"4\r\nabcd\r\n0\r\nA: b\n\r\n",
    "a trailer with a NUL": b"4\r\nabcd\r\n0\r\nA: b\0\r\n\r\n",
    "trailers of 20 KB": b"4\r\nabcd\r\n0\r\n" + b"A: b\r\n" * 3400 + b"\r\n",
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("piece", [1 << 20, 1], ids=["whole", "byte by byte"])
def test_heads(service: Service, name: str, piece: int) -> None:
    """Refused, and what follows is never taken for a request of its own."""
    request = HEADS[name] + b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n"
    with service.raw() as connection:
        connection.settimeout(5 * SLOWNESS)
        answer = b""
        try:
            for at in range(0, len(request), piece):
                connection.sendall(request[at:at + piece])
            while more := connection.recv(65536):
                answer += more
        except ConnectionError:
            pass
    # Bytes that come behind the close reset the connection, and may take the answer with them.
    assert answer.startswith(b"HTTP/1.1 400") or (piece == 1 and answer == b""), answer[:300]
    assert b"HTTP/1.1 200" not in answer, answer[:300]


@pytest.mark.parametrize("name", BODIES)
def test_bodies(service: Service, name: str) -> None:
    """No answer can be given while a body comes: the connection ends, and the log says why."""
    request_id = b"body-%d" % list(BODIES).index(name)
    request = CHUNKED % request_id + BODIES[name] + b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n"
    with service.raw() as connection:
        connection.settimeout(5 * SLOWNESS)
        answer = b""
        try:
            connection.sendall(request)
            while more := connection.recv(65536):
                answer += more
        except ConnectionError:
            pass
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer[:300]
    line = service.log_line(request_id.decode())
    assert line["status"] == 400 and line["problem"] == "ambiguous-framing", line


def test_what_may_be_sent_is_taken(service: Service) -> None:
    clip = voice()
    half = len(clip) // 2
    chunks = (b"%X;name=value;other=\"a b\"\r\n" % half + clip[:half] + b"\r\n" + b"%x\r\n" % (len(clip) - half) + clip[half:]
              + b"\r\n000\r\nX-Checksum: none\r\n\r\n")
    with service.raw() as connection:
        for head in (b"GET /livez HTTP/1.1\r\nHost: x\r\nA: caf\xc3\xa9\tb \r\nB:\r\nContent-Length: 0\r\n\r\n", b"\r\nGET /livez HTTP/1.1\r\nhost: x\r\n\r\n"):
            connection.sendall(head)
            assert read_answer(connection)[0] == 200
        request = CHUNKED % b"good" + chunks
        for at in range(0, len(request), 1000):
            connection.sendall(request[at:at + 1000])
        assert read_answer(connection)[0] == 200
        connection.sendall(CHUNKED % b"good" + chunks + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(connection)[0] == 200


def test_a_good_request_before_a_bad_one_is_answered(service: Service) -> None:
    answer = service.exchange(HEAD + b"\r\n" + HEADS["a header line that ends in NUL LF"], 5)
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1 ") == 2 and b"HTTP/1.1 400" in answer
