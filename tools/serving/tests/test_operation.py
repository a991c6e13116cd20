"""Keys, limits, new heads, signals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import openai
import pytest


def wait(condition, seconds=20.0):
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def ask(server, **wishes):
    return server.post(
        "/v1/completions", {"model": "main", "prompt": "a", "max_tokens": 2, **wishes}
    )


def test_health_and_metrics(server):
    assert server.get("/health")[:2] == (200, "ok\n")
    wait(lambda: server.get("/ready")[0] == 200)
    assert ask(server)[0] == 200
    text = server.get("/metrics")[1]
    for name in ["requests_total", "new_tokens_total", "batch_size", "experts_touched_total"]:
        assert f"\ncambium_{name}" in text


def test_errors_are_objects_with_the_right_status(server):
    for path, body, status in [
        ("/v1/completions", b"{", 400),
        ("/v1/completions", b"[" * 1_000_000, 400),
        ("/v1/completions", {"model": "none", "prompt": "a"}, 404),
        ("/v1/nothing", {}, 404),
    ]:
        found, answer, _ = server.post(path, body)
        assert found == status and set(answer["error"]) == {"message", "type", "param", "code"}


def test_head_says_what_get_would_without_a_body(server):
    for path in ["/health", "/v1/models", "/", "/log", "/nothing"]:
        asked = urllib.request.Request(server.url + path, method="HEAD")
        try:
            answer = urllib.request.urlopen(asked, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        assert answer.status == server.get(path)[0] and answer.read() == b""
        assert int(answer.headers["Content-Length"]) > 0


def test_a_key_is_asked_for(own, start):
    server = start(own, CAMBIUM_API_KEY="secret")
    assert server.get("/health")[0] == 200
    for headers in [{}, {"Authorization": "Bearer secre"}, {"Authorization": "Bearer secret2"}]:
        assert server.get("/v1/models", **headers)[0] == 401
    assert server.get("/metrics")[0] == 401
    assert server.get("/v1/models", Authorization="Bearer secret")[0] == 200
    assert server.get("/v1/models", x_api_key="secret")[0] == 200
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=server.url + "/v1", api_key="x").models.list()


def test_other_addresses_need_a_key(own):
    made = subprocess.run(
        [os.environ["CAMBIUM_SERVE"], "-C", own.path, "--host", "0.0.0.0", "--port", "0"],
        capture_output=True, text=True, timeout=60,
    )
    assert made.returncode == 64 and "--insecure" in made.stderr


def test_pages_of_other_sites_are_refused(server):
    assert server.get("/v1/models", Origin="http://evil.example")[0] == 403
    assert server.get("/v1/models", Host="evil.example")[0] == 421
    assert server.get("/v1/models", Origin=server.url)[0] == 200


def test_too_large_a_body(own, start):
    server = start(own, "--max-body", "10K")
    status, answer, _ = ask(server, prompt="a" * 20_000)
    assert status == 413 and answer["error"]["code"] == "body_too_large"
    with server.connect() as link:
        link.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1000\r\n" + b" " * 4096 + b"\r\n" + b"2000\r\n" + b" " * 8192 + b"\r\n"
        )
        assert b" 413 " in link.recv(4096).split(b"\r\n")[0]
    assert ask(server)[0] == 200


def test_a_full_queue_is_told(own, start):
    server = start(own, "main", "--batch", "1", "--queue", "1")
    wait(lambda: server.get("/ready")[0] == 200)
    body = json.dumps(
        {"model": "main", "prompt": "a", "max_tokens": 4000, "stream": True, "temperature": 0}
    ).encode()
    head = (
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    links = [server.connect() for _ in range(2)]
    for link in links:
        link.sendall(head + body)
    wait(lambda: server.metric("cambium_batch_size") + server.metric("cambium_queue_length") == 2, 5)
    status, answer, headers = ask(server)
    assert status == 429 and answer["error"]["code"] == "queue_full"
    assert int(headers["Retry-After"]) >= 1
    for link in links:
        link.close()
    # Who has gone is given up within a token.
    wait(lambda: server.metric("cambium_batch_size") == 0, 5)
    assert ask(server)[0] == 200


def test_new_heads_answer_without_a_restart(own, start):
    server = start(own, "main")
    first = ask(server)[1]["system_fingerprint"]
    second = own.commit("more", turn=2)
    wait(lambda: ask(server)[1]["system_fingerprint"] == second)
    assert first != second
    # What no name means any more is not kept.
    wait(lambda: server.metric("cambium_models_loaded") == 1)
    assert ask(server, model=f"main@{first[:12]}")[1]["system_fingerprint"] == first
    assert server.metric("cambium_head_switches_total") >= 1


@pytest.mark.parametrize("way", ["endpoint", "signal"])
def test_a_pinned_head_stays_until_it_is_told(own, start, way):
    server = start(own, "main", "--pin")
    first = ask(server)[1]["system_fingerprint"]
    second = own.commit("more", turn=2)
    time.sleep(0.5)
    assert ask(server)[1]["system_fingerprint"] == first
    if way == "endpoint":
        assert server.post("/v1/reload", b"")[1] == {"switched": ["main"]}
    else:
        server.process.send_signal(signal.SIGHUP)
    wait(lambda: ask(server)[1]["system_fingerprint"] == second)


def test_models_are_dropped_by_least_recent_use(own, start):
    own.run("branch", "b", "main")
    own.commit("b", branch="b", turn=2)
    server = start(own, "--models", "1")
    for model in ["main", "b", "main", "b"]:
        assert ask(server, model=model)[0] == 200
        wait(lambda: server.metric("cambium_models_loaded") <= 2)
    wait(lambda: server.metric("cambium_models_loaded") == 1)
    assert server.metric("cambium_model_drops_total") >= 1


def test_it_stops_when_asked_and_answers_what_is_under_way(own, start):
    server = start(own, "main")
    assert ask(server)[0] == 200
    body = b'{"model": "main", "prompt": [1], "max_tokens": 300, "stream": true, "temperature": 1}'
    with server.connect() as link:
        link.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )
        assert b" 200 " in link.recv(100)
        server.process.send_signal(signal.SIGTERM)
        text = b""
        while piece := link.recv(65536):
            text += piece
        assert b"[DONE]" in text
    assert server.process.wait(timeout=30) == 0


def test_the_main_program_starts_it(own):
    with subprocess.Popen(
        [os.environ["CAMBIUM"], "-C", own.path, "serve", "main", "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    ) as process:
        for line in process.stderr:
            if re.search(r"message=loaded .*model=main", line):
                break
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(timeout=30) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(server):
    made = subprocess.run(
        ["curl", "-sS", "-N", server.url + "/v1/completions", "-d",
         '{"model": "main", "prompt": "Once", "max_tokens": 3, "stream": true}'],
        capture_output=True, text=True, timeout=60,
    )
    assert made.returncode == 0 and made.stdout.endswith("data: [DONE]\n\n")


def test_names_and_paths_cannot_steer_the_log(server):
    server.get("/v1/models/%1b%5b31m%0ainfo%20message=forged")
    server.post("/v1/completions", {"model": "\x1b[31m\nx", "prompt": "a"})
    time.sleep(0.2)
    assert not any("\x1b" in line or line.startswith("info") for line in server.log)
