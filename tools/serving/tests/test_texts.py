"""Texts and conversations, as OpenAI's own client asks for them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

PROMPT = "Q: Tom has 3 apples and "


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


def test_models_are_branches_and_tags(client, store):
    names = {model.id: model for model in client.models.list()}
    assert set(names) == {"main", "feature/x", "v1"}
    assert client.models.retrieve("feature/x").commit == names["feature/x"].commit
    pinned = f"main@{names['main'].commit[:8]}"
    assert client.models.retrieve(pinned).commit == names["main"].commit
    for name in ["nothing", f"main@{names['feature/x'].commit[:8]}", "main~9", "../x", "a\r\nb: c"]:
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve(name)
        assert caught.value.code == "model_not_found"


def test_a_text_is_the_one_that_generate_writes(client, store):
    made = client.completions.create(
        model="main", prompt=PROMPT, max_tokens=30, temperature=0, stop=["zzz"]
    )
    assert made.choices[0].text == store.text("main", PROMPT, 30)
    drawn = client.completions.create(
        model="main", prompt=PROMPT, max_tokens=30, temperature=0.8, top_p=0.9, seed=7
    )
    more = ["--temperature", "0.8", "--top-p", "0.9", "--seed", "7"]
    assert drawn.choices[0].text == store.text("main", PROMPT, 30, *more)
    assert drawn.usage.prompt_tokens == len(PROMPT)
    assert drawn.usage.completion_tokens == len(drawn.choices[0].text)


def test_requests_at_the_same_time_get_what_each_would_get_alone(client, store):
    prompts = [f"{word} has {number} " for number, word in enumerate(["Tom", "The king", "A"] * 4)]

    def ask(prompt):
        made = client.completions.create(
            model="feature/x" if len(prompt) % 2 else "main",
            prompt=prompt, max_tokens=25, temperature=0.9, seed=3, extra_body={"n": 1},
        )
        return made.choices[0].text

    with ThreadPoolExecutor(12) as pool:
        texts = list(pool.map(ask, prompts))
    for prompt, text in list(zip(prompts, texts))[:4]:
        revision = "feature/x" if len(prompt) % 2 else "main"
        more = ["--temperature", "0.9", "--seed", "3"]
        assert text == store.text(revision, prompt, 25, *more)


def test_models_of_one_structure_run_what_they_share_once(client, server, store):
    def parts():
        text = server.get("/metrics")[1]
        return [
            int(re.search(rf"^cambium_parts_{name}_total (\d+)$", text, re.MULTILINE)[1])
            for name in ["run", "alone"]
        ]

    def ask(revision):
        made = client.completions.create(
            model=revision, prompt=PROMPT, max_tokens=60, temperature=0, n=1
        )
        return revision, made.choices[0].text

    ran, alone = parts()
    with ThreadPoolExecutor(6) as pool:
        texts = set(pool.map(ask, ["main", "feature/x"] * 3))
    assert texts == {(name, store.text(name, PROMPT, 60)) for name in ["main", "feature/x"]}
    more_ran, more_alone = parts()
    assert 0 < more_ran - ran < more_alone - alone


def test_a_stream_is_the_same_text(client):
    wishes = dict(model="main", prompt=PROMPT, max_tokens=20, temperature=0.7, seed=1, n=2)
    whole = client.completions.create(**wishes)
    texts = ["", ""]
    usage = None
    for part in client.completions.create(
        **wishes, stream=True, stream_options={"include_usage": True}
    ):
        for choice in part.choices:
            texts[choice.index] += choice.text
        usage = part.usage or usage
    assert texts == [choice.text for choice in whole.choices]
    assert texts[0] != texts[1]
    assert usage.total_tokens == whole.usage.total_tokens


def test_an_answer_names_its_commit(client, server):
    commit = client.models.retrieve("main").commit
    made = client.completions.with_raw_response.create(model="v1", prompt="a", max_tokens=1)
    assert made.headers["x-cambium-commit"] == commit
    assert made.parse().system_fingerprint == commit


def test_how_likely_tokens_were(client):
    made = client.completions.create(
        model="main", prompt="the", max_tokens=3, temperature=0, logprobs=2, echo=True
    )
    told = made.choices[0].logprobs
    assert "".join(told.tokens) == made.choices[0].text and told.tokens[:3] == ["t", "h", "e"]
    assert told.token_logprobs[0] is None and all(p <= 0 for p in told.token_logprobs[1:])
    assert told.text_offset == list(range(len(told.tokens)))
    assert all(len(top) == 2 for top in told.top_logprobs[1:])
    # What evaluation harnesses ask for: the prompt alone.
    read = client.completions.create(
        model="main", prompt=[116, 104, 101], max_tokens=0, logprobs=0, echo=True
    )
    assert read.choices[0].text == "the"
    assert read.choices[0].logprobs.token_logprobs == told.token_logprobs[:3]


def test_a_conversation(client, store):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Who has "}, {"type": "text", "text": "apples?"}]},
    ]
    wishes = dict(model="main", messages=messages, temperature=0, max_completion_tokens=12)
    made = client.chat.completions.create(**wishes, logprobs=True, top_logprobs=1)
    choice = made.choices[0]
    prompt = "system: Be brief.\nuser: Who has apples?\nassistant:"
    assert choice.message.content == store.text("main", prompt, 12)
    assert choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length")
    content = choice.logprobs.content
    assert bytes(b for token in content for b in token.bytes).decode() == choice.message.content
    text, reason = "", None
    for part in client.chat.completions.create(**wishes, stream=True):
        text += part.choices[0].delta.content or ""
        reason = part.choices[0].finish_reason or reason
    assert (text, reason) == (choice.message.content, choice.finish_reason)


def test_stop_texts_are_not_part_of_a_text(client, store):
    whole = store.text("main", PROMPT, 30)
    stop = whole.split(" ")[0][-1]
    made = client.completions.create(
        model="main", prompt=PROMPT, max_tokens=30, temperature=0, stop=stop
    )
    assert made.choices[0].text == whole[: whole.index(stop)]
    assert made.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"extra_body": {"dry_multiplier": 1}}, "dry_multiplier"),
        ({"max_tokens": 100_000}, "max_tokens"),
        ({"temperature": 9}, "temperature"),
    ],
)
def test_what_is_not_done_is_refused_by_name(client, wishes, field):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="main", prompt="a", **wishes)
    assert caught.value.param == field and field in caught.value.message
