"""What clients may take of the server before any route is asked (ruling O15): over sockets, against the real server."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from api.edge.connections import ConnectionLimits
from api.edge.middleware import Observed
from tests.support.processes import wait_until
from tests.support.served import Answer, Client, Served, served

pytestmark = pytest.mark.slow

HURRIED: dict[str, Any] = {
    "head_seconds": 1.0, "body_seconds": 4.0, "slow_seconds": 1.0, "min_rate": 1000, "linger_seconds": 0.5
}  # fmt: skip
GET = b"GET / HTTP/1.1\r\n\r\n"
LARGE = 8 * 1024 * 1024


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what came. /slow takes its time, /early does not wait for the body, /large answers more than is taken."""
    assert scope["type"] == "http"
    request = Request(scope, receive)
    if scope["path"] == "/slow":
        await asyncio.sleep(1.7)
    body = b"" if scope["path"] == "/early" else await request.body()
    if scope["path"] == "/large":
        response = Response(b" " * LARGE)
    else:
        response = JSONResponse({"bytes": len(body), "headers": sorted(request.headers.keys())})
    await response(scope, receive, send)


app = Observed(echo)


@pytest.fixture
def hurried() -> Iterator[Served]:
    """A server in a hurry."""
    with served(app, **HURRIED) as running:
        yield running


def post(length: int, path: str = "/", *more: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", f"Content-Length: {length}", *more, "", ""]).encode()


def padded(size: int) -> bytes:
    """A request whose head counts that many bytes."""
    return b"GET / HTTP/1.1\r\nPadding: " + b"x" * (size - len("/Padding") - 4) + b"\r\n\r\n"


def send_steadily(client: Client, piece: bytes, times: int, seconds: float) -> None:
    for _ in range(times):
        client.send(piece)
        time.sleep(seconds)


def assert_refused(client: Client, status: int, code: str) -> Answer:
    """The errors document, then the end of the connection."""
    answer = client.answer()
    assert (answer.status, answer.codes) == (status, [code])
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in answer.headers
    assert client.ended()
    return answer


def test_the_limits_are_those_of_the_ruling() -> None:
    limits = ConnectionLimits()
    assert (limits.head_bytes, limits.headers, limits.head_seconds) == (64 * 1024, 100, 10)
    assert (limits.body_seconds, limits.slow_seconds, limits.min_rate) == (60, 10, 1024)
    assert (limits.connections, limits.per_address) == (1000, 100)


# ------------------------------------------------------------------------------------ the head


def test_a_request_head_may_have_64_kib(hurried: Served) -> None:
    assert hurried.client(padded(64 * 1024)).answer().status == 200
    assert_refused(hurried.client(padded(64 * 1024 + 1)), 431, "request-head-too-large")


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nPadding: ", b"GET / HTTP/1.1\r\n"])
def test_a_head_without_an_end_is_refused_once_it_is_too_large(hurried: Served, start: bytes) -> None:
    piece = b"x" * 10 + b": y\r\n" if start.endswith(b"\n") else b"x" * 16
    assert_refused(hurried.client(start, piece * 5000), 431, "request-head-too-large")


def test_a_request_has_a_hundred_headers(hurried: Served) -> None:
    assert hurried.client(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100 + b"\r\n").answer().status == 200
    assert_refused(hurried.client(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n"), 431, "request-head-too-large")


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GE", b"GET / HTTP/1.1\r\nAccept: */*\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(hurried: Served, sent: bytes) -> None:
    assert_refused(hurried.client(sent), 408, "request-timeout")


def test_a_second_request_has_to_come_in_time_too(hurried: Served) -> None:
    client = hurried.client(GET)
    assert client.answer().status == 200
    time.sleep(1.5)  # between requests the connection may rest
    assert client.send(GET).answer().status == 200
    assert_refused(client.send(b"GET / HTTP/1.1\r\n"), 408, "request-timeout")


def test_the_time_of_a_body_is_not_given_to_the_next_head(hurried: Served) -> None:
    client = hurried.client(post(4000), b"x" * 3999)
    time.sleep(1.2)  # now it is looked at again when its four seconds are over
    assert client.send(b"x").answer().status == 200
    started = time.monotonic()
    assert_refused(client.send(b"GET /"), 408, "request-timeout")
    assert time.monotonic() - started < 2.2


def test_a_first_head_has_no_more_time_because_its_beginning_came(hurried: Served) -> None:
    started = time.monotonic()
    client = hurried.client()
    time.sleep(0.7)
    assert_refused(client.send(b"GET /"), 408, "request-timeout")
    assert time.monotonic() - started < 1.6


def test_text_that_is_no_http_gets_an_errors_document(hurried: Served) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9\r\n\r\n", b"GET http://[ HTTP/1.1\r\n\r\n", b"\0" * 100):
        assert_refused(hurried.client(sent), 400, "malformed-request")


def test_blanks_around_a_header_value_are_no_part_of_it(hurried: Served) -> None:
    for sent in (b"X-Request-ID: abc \t ", b"X-Request-ID:\t abc\t", b"X-Request-ID:abc"):
        answer = hurried.client(b"GET / HTTP/1.1\r\n" + sent + b"\r\n\r\n").answer()
        assert answer.headers["x-request-id"] == "abc"


# ------------------------------------------------------------------------------------ the body


def test_a_body_that_stops_coming_is_not_waited_for(hurried: Served) -> None:
    with capture_logs() as logs:
        assert_refused(hurried.client(post(10), b"12345"), 408, "request-timeout")
        wait_until(lambda: [entry["status"] for entry in logs if entry["event"] == "request"] == [408])


def test_a_chunked_body_that_does_not_end_is_not_waited_for(hurried: Served) -> None:
    sent = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"
    assert_refused(hurried.client(sent), 408, "request-timeout")


def test_a_body_slower_than_the_minimum_rate_is_refused(hurried: Served) -> None:
    steady = hurried.client(post(8000))
    send_steadily(steady, b"x" * 400, 20, 0.1)
    assert steady.answer().body.startswith(b'{"bytes":8000,')
    trickling = hurried.client(post(2000))
    with pytest.raises(ConnectionError):
        send_steadily(trickling, b"x", 100, 0.1)


def test_a_body_has_its_time_however_fast_it_comes(hurried: Served) -> None:
    started = time.monotonic()
    client = hurried.client(post(10**9))
    with pytest.raises(ConnectionError):
        send_steadily(client, b"x" * 1000, 200, 0.05)
    assert 3.9 < time.monotonic() - started < 9


def test_an_early_answer_does_not_extend_the_time_of_a_body(hurried: Served) -> None:
    client = hurried.client(post(10**9, "/early"))
    assert client.answer().status == 200
    assert client.ended()


def test_a_client_is_not_late_while_the_server_does_not_read(hurried: Served) -> None:
    """It cannot send: what is buffered for an operation that has not begun to read is bounded."""
    client = hurried.client(post(2_000_000, "/slow"))
    client.send(b"x" * 2_000_000)
    assert client.answer().body.startswith(b'{"bytes":2000000,')


def test_trailers_are_no_headers_and_end(hurried: Served) -> None:
    head = b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    answer = hurried.client(head + b"Authorization: x\r\n\r\n").answer()
    assert b"authorization" not in answer.body
    assert_refused(hurried.client(head, b"Padding: xxxxxx\r\n" * 20_000), 431, "request-head-too-large")


# ------------------------------------------------------------------------------------ several requests at once


def test_requests_sent_ahead_are_answered_before_one_is_refused(hurried: Served) -> None:
    client = hurried.client(post(0, "/slow") + GET + padded(70_000) + GET)
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert_refused(client, 431, "request-head-too-large")


def test_requests_sent_ahead_are_answered_before_the_next_is_late(hurried: Served) -> None:
    client = hurried.client(post(0, "/slow") + GET + b"GET / HT")
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert_refused(client, 408, "request-timeout")


def test_no_more_requests_are_sent_ahead_than_are_queued(hurried: Served) -> None:
    client = hurried.client(post(0, "/slow") + GET * 5000)
    assert {client.answer().status for _ in range(101)} == {200}
    assert client.ended()


def test_requests_after_malformed_bytes_are_not_served(hurried: Served) -> None:
    client = hurried.client(post(0, "/slow") + b"NONSENSE\r\n\r\n" + GET)
    assert client.answer().status == 200
    assert client.ended()


def test_an_upgrade_is_not_offered_and_bounds_hold_all_the_same(hurried: Served) -> None:
    upgrade = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
    client = hurried.client(upgrade + b"\r\n")
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert client.ended()
    assert_refused(hurried.client(upgrade), 408, "request-timeout")
    assert_refused(hurried.client(upgrade + b"A: b\r\n" * 100 + b"\r\n"), 431, "request-head-too-large")


# ------------------------------------------------------------------------------------ connections


def test_a_connection_rests_no_longer_than_it_is_kept_alive() -> None:
    with served(app, keep_alive=1) as running:
        for sent in (b"", b"\r\n"):  # bytes between requests are no reason to stay
            client = running.client(GET)
            assert client.answer().status == 200
            started = time.monotonic()
            assert client.send(sent).ended()
            assert time.monotonic() - started > 0.8


def test_connections_beyond_the_limit_are_told_so_and_reported_once() -> None:
    with served(app, connections=5) as running, capture_logs() as logs:
        within = [running.client(GET) for _ in range(5)]
        assert {client.answer().status for client in within} == {200}
        for _ in range(10):
            answer = assert_refused(running.client(), 503, "unavailable")
            assert answer.headers["retry-after"] == "1"
        assert_refused(running.client(GET), 503, "unavailable")
        assert {client.send(GET).answer().status for client in within} == {200}  # they go on
        reports = [entry for entry in logs if entry["event"] == "connections-refused"]
        assert [(entry["log_level"], entry["reason"]) for entry in reports] == [("warning", "all")]
        within.pop().close()
        wait_until(lambda: running.client(GET).answer().status == 200)


@pytest.mark.parametrize("gateway", [False, True])
def test_only_gateways_exceed_the_share_of_one_address(monkeypatch: pytest.MonkeyPatch, gateway: bool) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.0/8" if gateway else "192.0.2.1")
    with served(app, per_address=3) as running, capture_logs() as logs:
        within = [running.client(GET) for _ in range(3)]
        assert {client.answer().status for client in within} == {200}
        if gateway:
            assert running.client(GET).answer().status == 200
        else:
            assert_refused(running.client(), 503, "unavailable")
        assert [entry["reason"] for entry in logs if entry["event"] == "connections-refused"] == ["address"][gateway:]


def test_a_client_that_reads_nothing_is_disconnected() -> None:
    with served(app, connections=1, stall_seconds=0.5, linger_seconds=0.1) as running:
        stalled = running.client(b"GET /large HTTP/1.1\r\n\r\n")
        wait_until(lambda: running.client(GET).answer().status == 200)
        stalled.close()


def test_a_client_that_reads_slowly_gets_the_whole_answer() -> None:
    with served(app, stall_seconds=0.4) as running:
        client = running.client(b"GET /large HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = 0
        while part := client._socket.recv(1024 * 1024):
            received += len(part)
            time.sleep(0.1)
        assert received > LARGE
