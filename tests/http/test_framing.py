"""Framing by raw sockets: what two readers could understand differently is refused, and the
connection closed, so that no second request is ever smuggled."""

from __future__ import annotations

import json
import time

import pytest
from service import SLOWNESS, Service, read_all, read_answer, voice

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def refused(service: Service, request: bytes) -> None:
    """Exactly one answer, 400 ambiguous-framing, then the end."""
    answer = service.exchange(request)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"Connection: close" in answer
    body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert body["type"] == "urn:voiceprintd:problem:ambiguous-framing"


def statuses(answer: bytes) -> list[bytes]:
    """Of every answer; libmicrohttpd writes the head of its own 400 for a length twice."""
    return [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]


def post(*headers: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"POST /embed " + version, b"Host: x", *headers, b"", b""]) + body


@pytest.mark.parametrize("request_bytes", [
    post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b"Content-Length: 5", b"Content-Length: 40", body=b"hello" + SMUGGLED),
    post(b"Content-Length : 5", body=b"hello" + SMUGGLED),
    post(b"Content-Length\t: 5", body=b"hello" + SMUGGLED),
    post(b" Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding: identity", body=SMUGGLED),
    post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED, version=b"HTTP/1.0"),
    post(b"X: a", b" Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b"Content-: 5", b" Length", body=b"hello" + SMUGGLED),
    post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n" + SMUGGLED),
    post(b"X(y): 1", b"Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b"X\x80: 1", b"Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b": 1", b"Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b"X: 1\nContent-Length: 5", body=b"hello" + SMUGGLED),
    post(b"Content-Length: 5\nX: 1", body=b"hello" + SMUGGLED),
    post(b"Content-Length: 5\x00", body=b"hello" + SMUGGLED),
    post(b"X: 1\x002", b"Content-Length: 5", body=b"hello" + SMUGGLED),
    post(b"Host: y", b"Content-Length: 5", body=b"hello" + SMUGGLED),
    b"GET /livez HTTP/1.1\nHost: x\r\n\r\n" + SMUGGLED,
    b"GET /livez HTTP/1.1\r\nHost: x\n\r\n" + SMUGGLED,
    b"GET /livez\x00/../embed HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    b"GET /livez  HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
], ids=lambda request: repr(request)[2:60].replace("/", "_"))
def test_ambiguous_framing(service: Service, request_bytes: bytes) -> None:
    refused(service, request_bytes)


@pytest.mark.parametrize("length", [b"-5", b"+5", b"5 5", b"5,5", b"0x5", b"five", b"", b"5;", b"99999999999999999999999",
                                    b"18446744073709551616", b"5\r"])
def test_broken_lengths(service: Service, length: bytes) -> None:
    """libmicrohttpd refuses most of these itself, before our code is asked."""
    answer = service.exchange(post(b"Content-Length: " + length, body=b"hello" + SMUGGLED))
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413"), answer[:200]
    assert set(statuses(answer)) <= {b"400", b"413"}


def test_bare_cr_ends_no_line(service: Service) -> None:
    """A CR alone is no line's end for some and one for others: refused, so that nothing hides behind it."""
    answer = service.exchange(b"GET /livez HTTP/1.1\r\nX: a\rContent-Length: 5\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert set(statuses(service.exchange(post(b"Content-Length: 5\rX: 1", body=b"hello" + SMUGGLED)))) == {b"400"}


@pytest.mark.parametrize("chunks", [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
                                    b"fffffffffffffffff\r\nhello", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n"])
def test_malformed_chunks(service: Service, chunks: bytes) -> None:
    answer = service.exchange(post(b"Transfer-Encoding: chunked", body=chunks + SMUGGLED), 3)
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413", b""), answer[:200]
    assert answer.count(b"HTTP/1.1 ") <= 1


def test_trailers_are_no_headers(service: Service) -> None:
    clip = voice()
    with service.raw() as connection:
        connection.sendall(post(b"Transfer-Encoding: chunked", body=b"%x;name=value\r\n%s\r\n0\r\nContent-Length: 3\r\n"
                                b"Transfer-Encoding: gzip\r\n\r\n" % (len(clip), clip)))
        assert read_answer(connection)[0] == 200
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(connection)[0] == 200


def test_pipelining(service: Service) -> None:
    """Answers come in order, one each, also behind a request that waits for a worker."""
    clip = voice()
    embed = post(b"Content-Length: %d" % len(clip), b"X-Request-Id: first", body=clip)
    livez = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: second\r\n\r\n"
    last = b"GET /nope HTTP/1.1\r\nHost: x\r\nX-Request-Id: third\r\nConnection: close\r\n\r\n"
    answer = service.exchange(embed + livez + last)
    assert [line for line in answer.split(b"\r\n") if line.startswith(b"X-Request-Id")] == \
        [b"X-Request-Id: first", b"X-Request-Id: second", b"X-Request-Id: third"]
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"404"]


@pytest.mark.parametrize("target,status", [
    (b"http://other.example/livez", 200), (b"HTTP://other.example:99/livez?", 200), (b"http://other.example", 200),
    (b"/livez?", 200), (b"/livez/", 404), (b"//livez", 404), (b"/%6civez", 404), (b"/livez%00", 404), (b"/../livez", 404),
    (b"*", 404), (b"livez", 404), (b"/livez?x=1", 400), (b"/v1/livez", 200), (b"/v1", 404), (b"/v1/v1/livez", 404),
    (b"/livez#fragment", 404), (b"/liv ez", 400), (b"/?q=%zz", 400)])
def test_targets(service: Service, target: bytes, status: int) -> None:
    answer = service.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    if target == b"/?q=%zz" and answer.startswith(b"HTTP/1.1 404"):
        return  # no page at / in this build
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]


@pytest.mark.parametrize("request_bytes", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / XXXX\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 100, b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"a" * 40000, b"GET /" + b"a" * 40000])
def test_what_is_no_http(service: Service, request_bytes: bytes) -> None:
    answer = service.exchange(request_bytes, 1.0 / SLOWNESS)
    assert answer == b"" or answer[9:10] in (b"4", b"5"), answer[:100]
    assert service.get("/livez").status_code == 200


def test_header_floods(service: Service) -> None:
    many = b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(4000))
    long = b"X: " + b"a" * 60000 + b"\r\n"
    for flood in (many, long):
        answer = service.exchange(b"GET /livez HTTP/1.1\r\n" + flood + b"\r\n", 3)
        assert answer[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 413", b""), answer[:200]
    hundred = b"".join(b"X-Header-%d: %s\r\n" % (i, b"v" * 150) for i in range(100))
    answer = service.exchange(b"GET /livez HTTP/1.1\r\n" + hundred + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]


def test_one_byte_at_a_time(service: Service) -> None:
    clip = voice(seconds=0.6)[:1500]
    request = post(b"Content-Length: %d" % len(clip), b"Connection: close", body=clip)
    with service.raw() as connection:
        for i in range(0, len(request)):
            connection.sendall(request[i:i + 1])
        assert b"HTTP/1.1 4" in read_all(connection, 10)[:12]  # the clip is cut short: 422
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with service.raw() as connection:
        for i in range(len(request)):
            connection.sendall(request[i:i + 1])
            time.sleep(0.001)
        assert read_all(connection, 10).startswith(b"HTTP/1.1 200")


def test_expect_is_answered_before_the_body(service: Service) -> None:
    clip = voice()
    with service.raw() as connection:
        connection.sendall(post(b"Content-Length: %d" % len(clip), b"Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(clip)
        assert read_answer(connection)[0] == 200
    for path, headers, status in ((b"/embed", b"Content-Length: 99999999", 413), (b"/nope", b"Content-Length: 9", 404),
                                  (b"/livez", b"Content-Length: 9", 405), (b"/embed?x=1", b"Content-Length: 9", 400)):
        with service.raw() as connection:
            connection.sendall(b"POST %s HTTP/1.1\r\n%s\r\nExpect: 100-continue\r\n\r\n" % (path, headers))
            got, headers_out, _ = read_answer(connection)
            assert (got, headers_out["connection"]) == (status, "close")
    with service.raw() as connection:
        connection.sendall(post(b"Content-Length: 9", b"Expect: something"))
        assert read_answer(connection)[0] == 417


def test_chunked_over_the_limit() -> None:
    """Swallowed up to twice the limit and answered at the end; beyond that the connection closes."""
    with Service(max_body_bytes=100_000) as small:
        def chunked(n: int) -> bytes:
            return post(b"Transfer-Encoding: chunked", body=b"".join(b"400\r\n" + bytes(1024) + b"\r\n" for _ in range(n)) + b"0\r\n\r\n")
        answer = small.exchange(chunked(150))
        assert answer.startswith(b"HTTP/1.1 413") and b"body-too-large" in answer and b"Connection: close" in answer
        with small.raw() as connection:
            try:
                connection.sendall(chunked(4000))
                assert read_all(connection, 5) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert small.embed(voice(seconds=1)).status_code == 200
        assert small.metric("voiceprintd_upload_bytes_buffered") == 0


def test_early_answer_reaches_a_client_that_only_sends(service: Service) -> None:
    """A client that sends all before it reads must still find the answer, not a reset."""
    for _ in range(5):
        with service.raw() as connection:
            body = bytes(20 << 20)
            connection.sendall(post(b"Content-Length: %d" % len(body), body=body))
            assert read_answer(connection)[0] == 413


def test_keep_alive(service: Service) -> None:
    with service.raw() as connection:
        for path, status in ((b"/livez", 200), (b"/nope", 404), (b"/livez", 200), (b"/info", 200), (b"/livez", 200)):
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            got, headers, _ = read_answer(connection)
            assert got == status and "connection" not in headers
        connection.sendall(post(b"Content-Length: 0"))
        assert read_answer(connection)[0] == 400
        clip = voice()
        connection.sendall(post(b"Content-Length: %d" % len(clip), body=clip))
        assert read_answer(connection, 30 * SLOWNESS)[0] == 200


def test_head(service: Service) -> None:
    with service.raw() as connection:
        for path in (b"/livez", b"/readyz", b"/info", b"/metrics", b"/openapi.yaml"):
            connection.sendall(b"HEAD " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            head = connection.recv(65536)
            assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n"), head


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_wrong_method(service: Service, method: str) -> None:
    answer = service.exchange(method.encode() + b" /embed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405") and b"Allow: POST" in answer
    if method not in ("GET", "HEAD"):
        answer = service.exchange(method.encode() + b" /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 405") and b"Allow: GET, HEAD" in answer
