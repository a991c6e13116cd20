"""Models that run on the store's records."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import checkpoints
import numpy as np
import pytest

import cambium


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store whose model takes bytes."""
    place = tmp_path_factory.mktemp("engine")
    tensors, config = checkpoints.qwen3_moe(vocabulary=256)
    config["max_position_embeddings"] = 1 << 20  # long enough to be cut short
    store = cambium.init(place / "S")
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    store.commit(tensors, message="bytes", config=config, files={
        "tokenizer_config.json": {"chat_template": template, "bos_token": "<s>"}})
    return store.path


@pytest.fixture
def engine(path):
    return cambium.open(path).engine("main")


def test_text_goes_on_alone_together_and_in_pieces(engine):
    alone = [engine.generate(prompt, max_new_tokens=12) for prompt in ("Once", "Twice upon")]
    assert engine.generate(["Once", "Twice upon"], max_new_tokens=12) == alone
    assert "".join(engine.stream("Once", max_new_tokens=12)) == alone[0]
    told = engine.generate("Once", max_new_tokens=12, details=True)
    assert told["text"] == alone[0] and len(told["tokens"]) == 12 and told["end"] == "count"
    tokens = engine.tokenize("Once")
    assert tokens.tolist() == list(b"Once") and engine.detokenize(tokens) == "Once"
    assert engine.generate_tokens(tokens, max_new_tokens=12) == told["tokens"]
    stop = told["tokens"][5]
    cut = told["tokens"][: told["tokens"].index(stop)]
    assert engine.generate_tokens(tokens, max_new_tokens=12, stop=[stop]) == cut
    sampled = [engine.generate("Once", max_new_tokens=8, temperature=1, top_p=0.9, seed=3)
               for _ in range(2)]
    assert sampled[0] == sampled[1]


def test_pieces_are_whole_characters(engine, monkeypatch):
    text = "Grüße – 漢字 🎉"

    def generate(prompts, sampling, receive):
        for byte in text.encode():
            if not receive(0, bytes([byte])):
                return

    monkeypatch.setattr(engine, "_generate", generate)
    assert list(engine.stream("x")) == list(text)


def test_logits_routes_and_bits(engine):
    logits = engine.logits([1, 2, 3])
    assert logits.shape == (3, 256) and logits.dtype == np.float32
    assert int(logits[-1].argmax()) == engine.generate_tokens([1, 2, 3], max_new_tokens=1)[0]
    routes = engine.route("a text")
    assert routes.experts.shape == routes.weights.shape == (6, 2, 2)
    assert routes.tokens.tolist() == list(b"a text") and routes.layers.tolist() == [0, 1]
    assert ((0 <= routes.experts) & (routes.experts < 4)).all()
    assert np.allclose(routes.weights.sum(-1), 1, atol=1e-6)
    one = engine.route("a text", layers=[1])
    assert np.array_equal(one.experts[:, 0], routes.experts[:, 1])
    told = []
    found = engine.evaluate("some text " * 250, progress=lambda *step: told.append(step))
    assert 0 < float(found) < 20 and "bits per byte" in repr(found) and told
    assert engine.summary["vocabularySize"] == 256
    assert engine.statistics["selections"] > 0


def test_a_conversation_is_spelled_by_the_models_template(engine):
    messages = [{"role": "user", "content": "Hi"}]
    assert engine.chat_prompt(messages) == "<user>Hi<assistant>" == engine.chat_prompt("Hi")
    assert engine.chat("Hi", max_new_tokens=5) == engine.generate(
        "<user>Hi<assistant>", max_new_tokens=5)
    assert engine.chat("Hi", max_new_tokens=5, details=True)["end"] == "count"
    for wrong in ([{"content": "x"}], [], [{"role": "user", "content": {1}}]):
        with pytest.raises(cambium.BadInput):
            engine.chat(wrong)


def test_a_template_reaches_nothing_outside(tmp_path):
    tensors, config = checkpoints.qwen3_moe(vocabulary=256)
    store = cambium.init(tmp_path / "S")
    for template in ("{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}", "{{ 1 / 0 }}",
                     "{% if", "{% for i in range(99999) %}{{ 'a' * 99999 }}{% endfor %}"):
        store.commit(tensors, message="x", config=config,
                     files={"chat_template.jinja": template}, allow_unchanged=True)
        with pytest.raises((cambium.BadCheckpoint, cambium.ModelFailure)):
            store.engine("main").chat("Hi")
    template = "{{ tools[0].name }}{{ mode }}{% if not mode %}{{ raise_exception('no') }}{% endif %}"
    store.commit(tensors, message="x", config=config, files={"chat_template.jinja": template})
    found = store.engine("main")
    assert found.chat_prompt("Hi", tools=[{"name": "f"}], template_options={"mode": 3}) == "f3"
    with pytest.raises(cambium.BadInput, match="no"):
        found.chat("Hi", tools=[{"name": "f"}])
    store.commit(tensors, message="x", config=config, branch="none", alone=True)
    with pytest.raises(cambium.ModelFailure, match="no chat template"):
        store.engine("none").chat("Hi")


def test_a_loop_that_is_left_ends_the_work(engine):
    pieces = engine.stream("Once", max_new_tokens=10**6)
    next(pieces)
    pieces.close()
    assert not [one for one in threading.enumerate() if one.name == "cambium-stream"]


@pytest.mark.parametrize("how", ["generate", "generate_tokens", "stream"])
def test_ctrl_c_ends_within_a_token(engine, how):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        if how == "generate_tokens":
            engine.generate_tokens([1], max_new_tokens=10**8, past_end=True)
        else:
            for _ in getattr(engine, how)("Once", max_new_tokens=10**8, past_end=True):
                pass
    assert time.monotonic() - begin < 5
    timer.join()
    assert engine.generate("Once", max_new_tokens=2)


def test_a_limit_of_memory_is_read(path):
    store = cambium.open(path)
    with store.engine("main", memory_limit="2GiB") as engine:
        assert len(engine.generate_tokens([1], max_new_tokens=3)) == 3
    with pytest.raises(cambium.Closed):
        engine.generate("x")
    for wrong in ("", "many", "-3M", "3X", 0, -1, True, 1.5, "0"):
        with pytest.raises(cambium.BadInput):
            store.engine("main", memory_limit=wrong)
    with pytest.raises(cambium.CambiumError):
        store.engine("main", memory_limit=1)
    with pytest.raises(cambium.NotFound):
        store.engine("nothing")


def test_weights_become_codes_in_a_commit(tmp_path):
    tensors, config = checkpoints.qwen3_moe(vocabulary=256, hidden=64, inner=32)
    store = cambium.init(tmp_path / "S")
    store.commit(tensors, message="floats", config=config)
    text = b"Once upon a time there was a text. " * 8
    phases = []
    done = store.quantize(
        experts="q8", dense="q4", text=text, branch="small",
        progress=lambda phase, done, total: phases.append(phase))
    assert done.forms == {"experts": "q8", "dense": "q4"} and done.left == []
    assert done.commit.branch == "small" and "experts of layer 1" in phases
    before, after = done.bits_per_byte
    assert before != after and abs(before - after) < 0.1
    assert after == store.engine("small").evaluate(text, limit=20_000).bits_per_byte
    assert "experts q8" in store.show("small").metadata["quantize.forms"]
    codes = store["small"]["model.layers.1.mlp.experts.2.up_proj.weight"]
    assert codes.dtype == "I8" and tuple(codes.shape) == (32, 64)
    for wrong in ({}, {"experts": "q5"}, {"experts": 8}):
        with pytest.raises(cambium.BadInput):
            store.quantize("main", **wrong)
    with pytest.raises(cambium.CambiumError, match="q8 already"):
        store.quantize("small", experts="q4")


def test_wrong_arguments_are_refused(engine):
    for wrong in (
        lambda: engine.generate(3), lambda: engine.generate([3]), lambda: engine.stream(3),
        lambda: engine.generate("x", temperature=-1), lambda: engine.generate("x", top_p=2),
        lambda: engine.generate("x", max_new_tokens=-1), lambda: engine.generate("x", seed=-1),
        lambda: engine.generate("x", threads=-1), lambda: engine.generate("x", threads=2**32),
        lambda: engine.generate("x", max_new_tokens=2**64 + 1),
        lambda: engine.generate("x", seed=2**64),
        lambda: engine.generate("x", max_new_tokens=1.5), lambda: engine.evaluate("x", limit=-1),
        lambda: engine.logits([1], threads=-1), lambda: engine.generate_tokens([300]),
        lambda: engine.generate_tokens([]), lambda: engine.generate_tokens([[1]]),
        lambda: engine.generate_tokens([1.5]), lambda: engine.evaluate(""),
        lambda: engine.evaluate(3), lambda: engine.logits([-1]), lambda: engine.detokenize(["x"]),
        lambda: engine.generate("\ud800"), lambda: engine.route("x", layers=[99]),
    ):
        with pytest.raises((cambium.CambiumError, TypeError)) as failure:
            wrong()
        assert getattr(failure.value, "code", "") != "internal"


def test_a_model_that_does_not_run_is_refused(tmp_path):
    store = cambium.init(tmp_path / "S")
    store.commit({"a": np.zeros(3)}, message="x", config=json.dumps({"model_type": "other"}))
    with pytest.raises(cambium.ModelFailure):
        store.engine("main")
