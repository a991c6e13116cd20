"""Random requests against a running server: `tools/serving/fuzz PORT [SECONDS] [SEED]`."""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from collections import Counter

PATHS = [
    "completions", "chat/completions", "responses", "messages", "messages/count_tokens", "embeddings",
]
WORDS = [
    None, True, False, 0, -1, 1, 2, 3.5, 1e308, 10**30, "", "main", "v1", "main@", "main~1", "auto",
    "\x00\x1b[31m", "\ud83c\udf33", [], {}, [[]], [None], [1, 2], [[1], [2]], [1, "a"], "a" * 3000,
    [{"role": "user", "content": "a"}], [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    [{"role": "\r\nx: y", "content": None}], {"include_usage": True}, {"type": "text"}, ["a", "b"],
]
FIELDS = [
    "model", "prompt", "messages", "input", "max_tokens", "max_output_tokens", "temperature", "top_p", "n",
    "stop", "stop_sequences", "seed", "stream", "stream_options", "logprobs", "top_logprobs", "echo", "system",
    "tools", "encoding_format", "instructions", "chat_template_kwargs", "foo",
]


def body(random: random.Random) -> bytes:
    """Most often nearly a request."""
    value = {"model": "main", "max_tokens": random.randrange(4)}
    name = random.choice(["prompt", "messages", "input"])
    value[name] = [{"role": "user", "content": "a"}] if name == "messages" else "a"
    for _ in range(random.randrange(4)):
        value[random.choice(FIELDS)] = random.choice(WORDS)
    if random.random() < 0.2:
        value.pop(random.choice(list(value)))
    data = bytearray(json.dumps(value).encode())
    for _ in range(random.choice([0, 0, 0, 1, 3])):
        place = random.randrange(len(data))
        data[place : place + random.randrange(3)] = random.randbytes(random.randrange(3))
    if random.random() < 0.02:
        data = bytearray(b"[" * random.randrange(200_000))
    return bytes(data)


def head(random: random.Random, length: int) -> bytes:
    """Most often a request's."""
    lines = [f"POST /v1/{random.choice(PATHS)} HTTP/1.1", "Host: localhost"]
    wrong = random.random() < 0.05
    lines.append(f"Content-Length: {random.randrange(10**6) if wrong else length}")
    lines.append(random.choice(["Connection: close", "Connection: keep-alive", "Accept: */*"]))
    data = bytearray("\r\n".join(lines).encode() + b"\r\n\r\n")
    if random.random() < 0.1:
        place = random.randrange(len(data))
        data[place : place + random.randrange(4)] = random.randbytes(random.randrange(4))
    return bytes(data)


def fuzz(port: int, seconds: float, seed: int) -> Counter:
    """Sends requests for some time; how many were answered with which status, 0 for none."""
    chance = random.Random(seed)
    counts: Counter = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = body(chance)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
                link.settimeout(0.3)
                whole = head(chance, len(data)) + data
                for start in range(0, len(whole), 70_000):
                    link.sendall(whole[start : start + 70_000])
                if chance.random() < 0.1:
                    continue
                got = link.recv(65536)
                words = got.split(b" ", 2)
                counts[int(words[1]) if len(words) > 1 and words[1].isdigit() else 0] += 1
        except (TimeoutError, ConnectionError):
            counts[0] += 1
    return counts


if __name__ == "__main__":
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 600
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    print("seed", seed)
    found = fuzz(int(sys.argv[1]), seconds, seed)
    print(dict(sorted(found.items())))
    sys.exit(1 if found[500] else 0)
