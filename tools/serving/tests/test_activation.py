"""A socket that something else listens with: systemd, or a launcher that does as it does."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess

import pytest
from test_bounds import answers, free_port
from test_operation import wait


def launch(store, listener, *options, count=1):
    """A server that a socket is passed on to."""
    def place():
        os.dup2(listener.fileno(), 3)

    # The shell's process is the server's.
    return subprocess.Popen(
        ["sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$0" "$@"', os.environ["CAMBIUM_SERVE"],
         "-C", store.path, *options],
        stderr=subprocess.PIPE, text=True, preexec_fn=place, pass_fds=[3],
    )


def test_it_answers_at_a_socket_that_listened_before(own):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # This client waits before there is a server.
        early = socket.create_connection(("127.0.0.1", port), timeout=60)
        early.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        process = launch(own, listener)
        got = b""
        while piece := early.recv(4096):
            got += piece
        assert got.startswith(b"HTTP/1.1 200 ") and b"\r\nDate: " in got and got.endswith(b"ok\n")
        assert answers(port)
        process.terminate()
        assert f"port={port}" in process.stderr.read()
        assert process.wait(timeout=30) == 0


def test_it_answers_at_a_socket_of_a_path(own):
    with socket.socket(socket.AF_UNIX) as listener:
        path = str(own.checkpoint.parent / "socket")
        listener.bind(path)
        listener.listen()
        process = launch(own, listener, "main")
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(path)
            link.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert link.recv(4096).startswith(b"HTTP/1.1 200 ")
        process.terminate()
        process.stderr.read()
        assert process.wait(timeout=30) == 0


def test_a_socket_that_others_reach_needs_a_key(own):
    with socket.create_server(("0.0.0.0", 0)) as listener:
        process = launch(own, listener)
        assert "--insecure" in process.communicate(timeout=30)[1] and process.returncode == 64


def test_what_is_no_socket_is_refused(own):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for one, count in [(open("/dev/null"), 1), (listener, 2)]:
            process = launch(own, one, count=count)
            assert "LISTEN_FDS" in process.communicate(timeout=30)[1] and process.returncode == 64


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd is not there")
def test_systemd_starts_it_when_somebody_connects(own):
    port = free_port()
    process = subprocess.Popen(
        ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", os.environ["CAMBIUM_SERVE"], "-C", own.path],
        stderr=subprocess.PIPE, text=True,
    )
    process.stderr.readline()
    wait(lambda: answers(port))
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    link.request("GET", "/v1/models")
    assert link.getresponse().status == 200
    process.terminate()
    process.stderr.read()
    assert process.wait(timeout=30) == 0
