"""Anthropic's interface, responses, embeddings, auto; and what llm-comply says of them."""

from __future__ import annotations

import subprocess
import sys

import anthropic
import openai
import pytest

MESSAGES = [{"role": "user", "content": "Who has apples?"}]
PROMPT = "user: Who has apples?\nassistant:"


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def other(server):
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


def test_messages(other, store):
    wishes = dict(
        model="main", messages=MESSAGES, max_tokens=12, extra_body={"temperature": 0}
    )
    made = other.messages.create(**wishes)
    assert made.content[0].text == store.text("main", PROMPT, 12)
    assert made.stop_reason == "max_tokens"
    assert made.usage.input_tokens == len(PROMPT)
    counted = other.messages.count_tokens(model="main", messages=MESSAGES)
    assert counted.input_tokens == len(PROMPT)
    with other.messages.stream(**wishes) as stream:
        assert "".join(stream.text_stream) == made.content[0].text
        whole = stream.get_final_message()
    assert whole.stop_reason == made.stop_reason
    assert whole.usage.output_tokens == made.usage.output_tokens
    assert {model.id for model in other.models.list()} == {"main", "feature/x", "v1"}


def test_texts_end_by_themselves_and_at_stop_texts(steps):
    client = anthropic.Anthropic(base_url=steps.url, api_key="none", max_retries=0)
    wishes = dict(model="main", messages=MESSAGES, max_tokens=40)
    made = client.messages.create(**wishes)
    assert (made.content[0].text, made.stop_reason) == (";<=>?", "end_turn")
    made = client.messages.create(**wishes, stop_sequences=["x", "=>", ">"])
    assert (made.content[0].text, made.stop_reason, made.stop_sequence) == (
        ";<", "stop_sequence", "=>",
    )
    client = openai.OpenAI(base_url=steps.url + "/v1", api_key="none", max_retries=0)
    made = client.chat.completions.create(model="main", messages=MESSAGES)
    assert (made.choices[0].message.content, made.choices[0].finish_reason) == (";<=>?", "stop")
    assert client.responses.create(model="main", input="a").status == "completed"
    cut = client.completions.create(model="main", prompt="a" * 511, max_tokens=50)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 2)
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="main", prompt="a" * 513)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({"model": "none"}, anthropic.NotFoundError),
        ({"tools": [{"name": "a", "input_schema": {"type": "object"}}]}, anthropic.BadRequestError),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, anthropic.BadRequestError),
        ({"extra_body": {"foo": 1}}, anthropic.BadRequestError),
    ],
)
def test_messages_that_cannot_be_answered(other, wishes, error):
    with pytest.raises(error) as caught:
        other.messages.create(**{"model": "main", "messages": MESSAGES, "max_tokens": 3, **wishes})
    assert caught.value.body["type"] == "error"


def test_responses(client, store):
    wishes = dict(model="main", input="Who has apples?", temperature=0, max_output_tokens=12)
    made = client.responses.create(**wishes)
    assert made.output_text == store.text("main", PROMPT, 12)
    assert made.status in ("completed", "incomplete")
    assert made.usage.input_tokens == len(PROMPT)
    parts = client.responses.create(
        **{**wishes, "input": [{"role": "user", "content": [{"type": "input_text", "text": "Who has apples?"}]}]},
    )
    assert parts.output_text == made.output_text
    text, numbers, last = "", [], None
    for event in client.responses.create(**wishes, stream=True):
        numbers.append(event.sequence_number)
        if event.type == "response.output_text.delta":
            text += event.delta
        last = event
    assert text == made.output_text == last.response.output_text
    assert numbers == list(range(len(numbers)))
    for more in [{"previous_response_id": "x"}, {"store": True}, {"tools": [{"type": "web_search"}]}]:
        with pytest.raises(openai.BadRequestError):
            client.responses.create(**wishes, **more)


def test_embeddings(client, server):
    made = client.embeddings.create(model="main", input=["the cat", "12 + 30"])
    assert [entry.index for entry in made.data] == [0, 1]
    first, second = (entry.embedding for entry in made.data)
    assert len(first) == len(second) == 64 and first != second
    assert made.usage.prompt_tokens == 14
    again = client.embeddings.create(
        model="main", input=[list(b"the cat")], encoding_format="float"
    )
    assert again.data[0].embedding == pytest.approx(first, rel=1e-6)
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="main", input="a", dimensions=8)
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="main", input=[])
    assert server.post("/v1/embeddings", {"model": "main", "input": "a" * 5000})[0] == 400


def test_auto_is_the_branch_whose_evidence_explains_the_text(own, start):
    server = start(own)
    ask = {"model": "auto", "prompt": "7 * 8 = ", "max_tokens": 1}
    assert server.post("/v1/completions", ask)[0] == 404
    own.run("branch", "words", "main")
    own.run("branch", "sums", "main")
    for branch, text in [("words", "the cat sat on the mat. "), ("sums", "12 + 30 = 42; 7 * 8 = 56; ")]:
        path = own.checkpoint.parent / f"{branch}.txt"
        path.write_text(text * 400)
        own.run("evidence", "add", "--text", str(path), "--adapter", branch, "--branch", branch)
    assert server.post("/v1/completions", ask)[1]["model"] == "sums"
    words = {**ask, "prompt": "the cat sat on "}
    assert server.post("/v1/completions", words)[1]["model"] == "words"
    assert server.post("/v1/completions", {**ask, "prompt": [1, 2]})[0] == 400
    made = server.post("/v1/embeddings", {"model": "auto", "input": "7 * 8 = "})[1]
    assert made["model"] == "sums"


@pytest.mark.parametrize(
    ("form", "tests"),
    [
        ("openai-chat", "chat-basic-response,chat-system-prompt,chat-multi-turn,chat-streaming-response,chat-streaming-usage,chat-error-handling"),
        ("anthropic", "anth-basic-response,anth-system-prompt,anth-multi-turn,anth-streaming-response,anth-streaming-usage,anth-error-handling"),
        ("open-responses", "basic-response,system-prompt,multi-turn,streaming-response,streaming-usage,assistant-phase,error-handling"),
    ],
)
def test_llm_comply(steps, form, tests):
    # Tools and images are not done, and refused by name.
    headers = ["--auth-header", "x-api-key", "--no-bearer"] if form == "anthropic" else []
    made = subprocess.run(
        [sys.executable, "-m", "llm_comply.cli", "--format", form, "-u", steps.url + "/v1",
         "-k", "none", "-m", "main", "-f", tests, *headers],
        capture_output=True, text=True, timeout=120,
    )
    assert made.returncode == 0, made.stdout + made.stderr
