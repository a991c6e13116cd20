"""A store with the model that ships with the repository, and a server of it."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import urllib.request
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[3] / "tools/sample/base"
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


def write_steps(folder: Path) -> None:
    """A tiny OLMoE of bytes that writes after each byte the next one, and ends at an @."""
    chance = random.Random(1)
    units = []
    for _ in range(256):
        row = [chance.gauss(0, 1) for _ in range(16)]
        size = sum(x * x for x in row) ** 0.5
        units.append([x / size for x in row])
    ones, zeros = [1.0] * 16, [[0.0] * 16] * 16
    tensors = {
        "model.embed_tokens.weight": units,
        "lm_head.weight": [[60 * x for x in units[byte - 1]] for byte in range(256)],
        "model.norm.weight": ones,
    }
    layer = "model.layers.0."
    for name in ["input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm"]:
        tensors[f"{layer}{name}.weight"] = ones
    for name in "qkvo":
        tensors[f"{layer}self_attn.{name}_proj.weight"] = zeros
    tensors[layer + "mlp.gate.weight"] = zeros[:4]
    for expert in range(4):
        for name in ["gate", "up", "down"]:
            tensors[f"{layer}mlp.experts.{expert}.{name}_proj.weight"] = zeros
    header, data = {}, b""
    for name, rows in tensors.items():
        flat = rows if isinstance(rows[0], float) else [x for row in rows for x in row]
        shape = [len(rows)] if flat is rows else [len(rows), len(rows[0])]
        start = len(data)
        data += struct.pack(f"<{len(flat)}f", *flat)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    config = {
        "model_type": "olmoe", "architectures": ["OlmoeForCausalLM"], "vocab_size": 256,
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 2, "intermediate_size": 16, "num_experts": 4,
        "num_experts_per_tok": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "norm_topk_prob": False, "tie_word_embeddings": False,
        "hidden_act": "silu", "attention_bias": False, "eos_token_id": ord("@"),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


class Store:
    """A store that the command line works on."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "S")
        self.checkpoint = folder / "checkpoint"
        shutil.copytree(SAMPLE, self.checkpoint)
        (self.checkpoint / "chat_template.jinja").write_text(TEMPLATE)
        self.run("init", self.path, store=False)

    def run(self, *words: str, store: bool = True) -> str:
        """What a command writes."""
        where = ["-C", self.path] if store else []
        made = subprocess.run(
            [os.environ["CAMBIUM"], *words, *where], capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        return made.stdout

    def commit(self, message: str, branch: str = "main", turn: int = 0) -> str:
        """Commits the model, with one byte of its weights turned, and gives the commit's id."""
        if turn:
            path = self.checkpoint / "model.safetensors"
            data = bytearray(path.read_bytes())
            # The lowest byte of a number: what the model says hardly changes.
            data[-4 * turn] ^= 0x55
            path.write_bytes(bytes(data))
        made = self.run("commit", str(self.checkpoint), "-m", message, "--branch", branch, "--json")
        return json.loads(made)["id"]

    def text(self, revision: str, prompt: str, count: int, *more: str) -> str:
        """What `cambium generate` continues a text with."""
        made = self.run(
            "generate", revision, "--prompt", prompt, "-n", str(count), "--json", *more
        )
        return json.loads(made)["text"]


class Server:
    """A server, and its log."""

    def __init__(self, store: Store, *options: str, files: int = 0, **variables: str) -> None:
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [
                *(["prlimit", f"--nofile={files}:"] if files else []),
                os.environ["CAMBIUM_SERVE"], "-C", store.path, "--port", "0", *options,
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        self.port = 0
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"message=listening .*port=(\d+)", line):
                self.port = int(found[1])
                break
        assert self.port, self.log
        self.url = f"http://127.0.0.1:{self.port}"
        # What nobody reads would hold the server up.
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self.reader.start()

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """A status, a body and headers."""
        return self.ask(path, None, **headers)

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict, dict[str, str]]:
        """The same, of a request and an answer in JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, text, found = self.ask(path, data, **headers)
        return status, json.loads(text), found

    def ask(self, path: str, data: bytes | None, **headers: str) -> tuple[int, str, dict[str, str]]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=data, headers=names)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    def metric(self, name: str) -> float:
        """A figure of /metrics."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(name)

    def resident(self) -> int:
        """Bytes that it has in memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("VmRSS")

    def connect(self) -> socket.socket:
        """A connection for bytes."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.reader.join()
