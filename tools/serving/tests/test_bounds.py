"""What is too much, too early or of others is told, and changes nothing for who asks rightly."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time

import pytest
from test_hostile import request, talk
from test_operation import ask, wait


def launch(store, *options, stderr=subprocess.PIPE, port=0):
    return subprocess.Popen(
        [os.environ["CAMBIUM_SERVE"], "-C", store.path, "--port", str(port), *options],
        stderr=stderr, text=True,
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def answers(port):
    """Whether a server at a port writes a text."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        link.request("POST", "/v1/completions", '{"model": "main", "prompt": "a", "max_tokens": 2}')
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


@pytest.mark.parametrize("log", ["full", "gone"])
def test_a_log_that_cannot_be_written_ends_nothing(own, log):
    if log == "full":
        port = free_port()
        with open("/dev/full", "w") as full:
            process = launch(own, stderr=full, port=port)
    else:
        process = launch(own)
        for line in process.stderr:
            if found := re.search(r"message=listening .*port=(\d+)", line):
                port = int(found[1])
                break
        process.stderr.close()
    wait(lambda: answers(port))
    assert all(answers(port) for _ in range(3)) and process.poll() is None
    process.terminate()
    assert process.wait(timeout=30) == 0


def test_a_reload_while_it_starts_ends_nothing(own):
    process = launch(own, "main")
    for line in process.stderr:
        if found := re.search(r"message=listening .*port=(\d+)", line):
            break
    for _ in range(5):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.01)
    wait(lambda: answers(int(found[1])))
    process.terminate()
    process.stderr.read()
    assert process.wait(timeout=30) == 0


def test_a_model_that_is_not_there_is_told_at_the_start(own):
    process = launch(own, "main", "nothing")
    words = process.communicate(timeout=30)[1]
    assert process.returncode == 2 and words.startswith("error: ") and words.count("\n") == 1, words


def test_an_address_that_is_taken_is_told(own, server):
    process = launch(own, port=server.port)
    words = process.communicate(timeout=30)[1]
    assert process.returncode == 1 and f"error: cannot listen at 127.0.0.1, port {server.port}" in words


def test_too_many_texts_are_refused_before_they_are_made(server):
    begin = time.monotonic()
    status, answer, _ = server.post(
        "/v1/completions", {"model": "main", "prompt": [[1]] * 200_000, "n": 128, "max_tokens": 1}
    )
    assert status == 400 and "25600000 texts" in answer["error"]["message"]
    assert time.monotonic() - begin < 20


def test_names_are_bounded(server):
    status, answer, _ = ask(server, model="a" * 513)
    assert status == 404 and len(answer["error"]["message"]) < 200
    assert server.get("/v1/models/" + "a" * 513)[0] == 404


def test_a_head_has_no_body(server):
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for path, status in [("/nothing", 404), ("/health", 200), ("/v1/models", 200), ("/v1/responses", 405)]:
        link.request("HEAD", path)
        answer = link.getresponse()
        assert answer.status == status and answer.read() == b""
    got = talk(server, b"HEAD /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert got.endswith(b"\r\n\r\n")


def test_a_wrong_method_is_told(server):
    status, answer, headers = server.post("/health", b"")
    assert status == 405 and headers["Allow"] == "GET, HEAD"
    status, text, headers = server.get("/v1/completions")
    assert status == 405 and headers["Allow"] == "POST" and "POST" in json.loads(text)["error"]["message"]


def test_a_body_that_waits_is_asked_for(server):
    body = b'{"model": "main", "prompt": "a", "max_tokens": 2}'
    with server.connect() as link:
        link.sendall(request(b"Content-Length: %d\r\nExpect: 100-continue\r\n" % len(body), b""))
        assert link.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(body)
        assert link.recv(65536).startswith(b"HTTP/1.1 200 ")
    # One that is too large is not.
    got = talk(server, request(b"Content-Length: 99999999\r\nExpect: 100-continue\r\n", b""))
    assert got.startswith(b"HTTP/1.1 413 ")


def test_pages_of_other_sites_start_nothing(server):
    picture = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    tokens = server.metric("cambium_new_tokens_total")
    assert server.get("/try?prompt=Tom&a=main&n=4", **picture)[0] == 403
    for headers in [link, {}]:
        status, page, _ = server.get("/try?prompt=Tom&a=main&n=4", **headers)
        assert status == 200 and "Nothing has been written yet" in page
    assert server.metric("cambium_new_tokens_total") == tokens
    token = re.search(r'name="token"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="token"', page)
    token = token[1] or token[2]
    page = server.get(f"/try?prompt=Tom&a=main&n=4&token={token}")[1]
    assert "Experts that each token of main picked" in page
    # It ran with all others, in turns.
    assert server.metric("cambium_new_tokens_total") == tokens + 4


def test_a_stream_is_told_that_the_server_stops(own, start):
    server = start(own, "main", "--stop-time", "1")
    body = b'{"model": "main", "prompt": [1], "max_tokens": 4000, "n": 8, "stream": true, "temperature": 1}'
    with server.connect() as link:
        link.sendall(request(b"Content-Length: %d\r\n" % len(body), body))
        text = link.recv(1000)
        assert b" 200 " in text
        server.process.send_signal(signal.SIGTERM)
        while piece := link.recv(65536):
            text += piece
    assert b"the server stops" in text and b"[DONE]" not in text
    assert server.process.wait(timeout=30) == 0


def test_pinned_models_are_listed_as_they_answer(own, start):
    server = start(own, "main", "--pin")
    first = ask(server)[1]["system_fingerprint"]
    own.commit("more", turn=2)
    listed = json.loads(server.get("/v1/models")[1])["data"]
    assert [model["commit"] for model in listed] == [first]


def test_branches_that_are_gone_are_dropped(own, start):
    own.run("branch", "b", "main")
    own.commit("b", branch="b", turn=2)
    server = start(own, "main")
    assert ask(server, model="b")[0] == 200
    own.run("branch", "--delete", "b")
    wait(lambda: server.metric("cambium_models_loaded") == 1)
    assert ask(server, model="b")[0] == 404


def test_what_a_template_cannot_take_is_the_clients_doing(server):
    for more in [
        {"chat_template_kwargs": {"messages": 5}}, {"chat_template_kwargs": 5}, {"tools": [5]},
        {"messages": [{"role": "user", "content": 5}]},
    ]:
        status, answer, _ = server.post(
            "/v1/chat/completions",
            {"model": "main", "messages": [{"role": "user", "content": "a"}], "max_tokens": 1, **more},
        )
        assert status == 400 and answer["error"]["param"] == next(iter(more)), answer


def test_numbers_that_are_none_are_no_embedding(own, start):
    path = own.checkpoint / "model.safetensors"
    data = bytearray(path.read_bytes())
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    begin = 8 + size + header["model.embed_tokens.weight"]["data_offsets"][0]
    end = 8 + size + header["model.embed_tokens.weight"]["data_offsets"][1]
    # NaN, in whatever type of numbers.
    data[begin:end] = b"\xff" * (end - begin)
    path.write_bytes(bytes(data))
    own.run("commit", str(own.checkpoint), "-m", "broken", "--branch", "main")
    server = start(own)
    status, answer, _ = server.post("/v1/embeddings", {"model": "main", "input": "a"})
    assert status == 500 and answer["error"]["code"] == "not-finite"
    assert server.metric("cambium_failures_total") == 1
    wait(lambda: any("message=failed" in line for line in server.log))
