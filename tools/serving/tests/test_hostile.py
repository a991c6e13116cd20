"""Requests that are hostile or make no sense: a status, or a closed connection, and right answers for others."""

from __future__ import annotations

import random
import shutil
import socket
import struct
import threading
import time

import pytest

GOOD = b'{"model": "main", "prompt": "a", "max_tokens": 2}'


def alive(server):
    status, answer, _ = server.post("/v1/completions", GOOD)
    assert status == 200 and answer["usage"]["completion_tokens"] <= 2


def talk(server, data, seconds=5.0):
    """What comes back for some bytes."""
    with server.connect() as link:
        link.settimeout(seconds)
        got = b""
        try:
            link.sendall(data)
            while piece := link.recv(65536):
                got += piece
        except (TimeoutError, ConnectionError):
            pass
        return got


def request(more, body=GOOD):
    return b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n" + body


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200,
        request(b"Content-Length: 50\r\nContent-Length: 51\r\n"),
        request(b"Content-Length: 50\r\nTransfer-Encoding: chunked\r\n"),
        request(b"Transfer-Encoding: xchunked\r\n"),
        request(b"Transfer-Encoding : chunked\r\n"),
        request(b"Content-Length: -1\r\n"),
        request(b"Content-Length: +49\r\n"),
        request(b"Content-Length: 99999999999999999999999\r\n"),
        request(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffff\r\n"),
        request(b"X: " + b"a" * 200_000 + b"\r\n"),
        request(b"".join(b"X%d: a\r\n" % n for n in range(1000))),
        request(b"X: a\r\n b: folded\r\n"),
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n",
        request(b"X: a\x00b\r\n"),
        b"POST /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(server, data):
    got = talk(server, data, 2.0)
    # At most one answer, and no success: nothing behind a request's end was taken for another.
    assert got.count(b"HTTP/1.1 ") <= 1 and b" 200 " not in got.split(b"\r\n")[0], got[:300]
    alive(server)


def test_a_body_is_not_taken_for_a_request(server):
    inner = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    got = talk(
        server,
        request(b"Content-Length: %d\r\nConnection: close\r\n" % len(inner), inner), 5.0,
    )
    assert got.count(b"HTTP/1.1 ") == 1 and got.startswith(b"HTTP/1.1 400 ")


def test_requests_one_behind_the_other_are_answered_in_order(server):
    one = request(b"Content-Length: %d\r\n" % len(GOOD))
    last = request(b"Content-Length: %d\r\nConnection: close\r\n" % len(GOOD))
    got = talk(server, one * 3 + last, 20.0)
    assert got.count(b"HTTP/1.1 200 ") == 4


def test_slow_and_idle_clients_hold_nobody_up(server):
    links = []
    for number in range(200):
        link = server.connect()
        link.sendall(request(b"Content-Length: 5000\r\n", b"{")[: 40 + number % 60])
        links.append(link)
    start = time.monotonic()
    alive(server)
    assert time.monotonic() - start < 5
    for link in links:
        link.close()


def test_who_reads_nothing_is_no_burden(server):
    body = b'{"model": "main", "prompt": [1], "max_tokens": 4000, "stream": true, "n": 8}'
    link = server.connect()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.sendall(request(b"Content-Length: %d\r\n" % len(body), body))
    alive(server)
    link.close()
    alive(server)


def test_many_connections(server):
    alive(server)
    before = server.resident()
    links = [server.connect() for _ in range(1000)]
    alive(server)
    # docs/serving.md says so.
    assert server.resident() - before < 32 << 20
    for link in links:
        link.close()
    alive(server)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="there is no prlimit")
def test_more_connections_than_a_shell_allows(own, start):
    server = start(own, "main", files=256)
    links = [server.connect() for _ in range(600)]
    alive(server)
    for link in links:
        link.close()
    # More than it takes wait until others have gone.
    server = start(own, "main", "--connections", "20")
    links = [server.connect() for _ in range(40)]
    threading.Timer(1, lambda: [link.close() for link in links]).start()
    alive(server)


def test_clients_that_go_leave_nothing_behind(server):
    body = b'{"model": "main", "prompt": [1], "max_tokens": 4000, "stream": true, "temperature": 1}'

    def leave():
        with server.connect() as link:
            link.sendall(request(b"Content-Length: %d\r\n" % len(body), body))
            link.recv(10)

    threads = [threading.Thread(target=leave) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.monotonic() + 10
    while server.metric("cambium_batch_size") + server.metric("cambium_queue_length") > 0:
        assert time.monotonic() < end
        time.sleep(0.1)
    alive(server)


def test_clients_that_go_at_once_leave_nothing_behind(own, start):
    server = start(own, "main")
    alive(server)
    body = b'{"model": "main", "prompt": [1], "max_tokens": 4000, "n": 3, "temperature": 1}'
    for number in range(60):
        link = server.connect()
        link.sendall(request(b"Content-Length: %d\r\n" % len(body), body))
        time.sleep(number % 20 / 1000)
        # A reset, as of a process that was killed.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.close()
    end = time.monotonic() + 10
    while server.metric("cambium_batch_size") + server.metric("cambium_queue_length") > 0:
        assert time.monotonic() < end
        time.sleep(0.1)
    # Their going is no failure of the server's.
    assert server.metric("cambium_failures_total") == 0
    alive(server)


def test_random_requests(server):
    from fuzz import fuzz

    counts = fuzz(server.port, seconds=3, seed=random.randrange(1 << 30))
    assert sum(counts.values()) > 10 and counts.get(500, 0) == 0, counts
    alive(server)
