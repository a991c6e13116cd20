"""Conversations, as the chat template that came with a model reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .errors import BadInput


def conversation(
    messages: str | Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] | None,
    options: dict[str, Any] | None,
) -> bytes:
    """Messages and tools as JSON. Raises BadInput for what is none."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadInput('a message is {"role": …, "content": …}', "usage")
    found: dict[str, Any] = {"messages": list(messages)}
    if tools is not None:
        found["tools"] = list(tools)
    if options:
        found["chat_template_kwargs"] = dict(options)
    try:
        return json.dumps(found, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"the conversation is no JSON: {error}", "bad-input") from None
