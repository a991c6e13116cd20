"""Tables for notebooks. Every text is escaped: names and messages come from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """A table; the caption is HTML already."""
    top = "".join(f"<th style='text-align:left'>{escape(one)}</th>" for one in head)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{cell(one)}</td>" for one in row) + "</tr>"
        for row in rows
    )
    title = f"<caption style='text-align:left'>{caption}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def cell(value: Any) -> str:
    """A value as HTML."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape(str(value))


def code(text: str) -> str:
    """An id, or its first digits."""
    return f"<code>{escape(text)}</code>"


def size(count: int) -> str:
    """Bytes as people read them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def numbers(values: Sequence[int], most: int = 12) -> str:
    """A list of numbers, cut where it is long."""
    shown = ", ".join(map(str, values[:most]))
    return shown + (f", … ({len(values):,})" if len(values) > most else "")
