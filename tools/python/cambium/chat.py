"""Prompts of conversations, by the chat template that came with a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import BadInput, CambiumError, ModelFailure

if TYPE_CHECKING:
    from .snapshot import Snapshot


def prompt_of(snapshot: Snapshot, messages: str | Sequence[dict[str, Any]]) -> str:
    """What a model reads for a conversation, up to where its answer begins.

    Raises ModelFailure for a model without a template, or one that fails; BadInput.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadInput('a message is {"role": …, "content": …}', "usage")
    settings = _settings(snapshot)
    template = _template(snapshot, settings)
    try:
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise CambiumError("chat needs jinja2: pip install jinja2", "unsupported") from None

    def refuse(message: str) -> None:
        raise TemplateError(message)

    # A template comes with a model from anywhere: it reaches nothing outside of the sandbox.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(
        value, ensure_ascii=False, **options
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    tokens = {
        name: value["content"] if isinstance(value, dict) else value
        for name, value in settings.items() if name.endswith("_token") and value is not None
    }
    try:
        return environment.from_string(template).render(
            messages=list(messages), add_generation_prompt=True, **tokens
        )
    except Exception as error:
        raise ModelFailure(f"the model's chat template fails: {error}", "bad-tokenizer") from None


def _settings(snapshot: Snapshot) -> dict[str, Any]:
    if "tokenizer_config.json" not in snapshot.files:
        return {}
    try:
        found = json.loads(snapshot.file("tokenizer_config.json"))
    except ValueError as error:
        raise ModelFailure(f"tokenizer_config.json: {error}", "bad-tokenizer") from None
    return found if isinstance(found, dict) else {}


def _template(snapshot: Snapshot, settings: dict[str, Any]) -> str:
    if "chat_template.jinja" in snapshot.files:
        return snapshot.file("chat_template.jinja").decode()
    found = settings.get("chat_template")
    if isinstance(found, list):
        found = next(
            (one["template"] for one in found if one.get("name") == "default"), None
        )
    if not isinstance(found, str):
        raise ModelFailure(
            f"{snapshot.id[:12]} has no chat template: neither chat_template.jinja nor one in "
            "tokenizer_config.json", "unsupported",
        )
    return found
