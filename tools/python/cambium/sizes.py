"""Numbers as people give them, checked before C would wrap them around."""

from __future__ import annotations

import re

from datetime import datetime
from typing import Any

from .errors import BadInput

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


def bytes_of(amount: int | str | None) -> int:
    """Bytes of "300M", "1.5 GiB" or a number; None is 0, which is no limit.

    Raises BadInput.
    """
    if amount is None:
        return 0
    if isinstance(amount, int) and not isinstance(amount, bool):
        if 0 < amount < 2**63:
            return amount
    elif isinstance(amount, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", amount.lower())
        if match and (match[2] or not match[3]):
            unit = _UNITS[match[2]]
            if match[3]:
                unit = 1024 ** "kmgt".index(match[2]) * 1024
            found = int(float(match[1]) * unit)
            if 0 < found < 2**63:
                return found
    raise BadInput(f"a limit of {amount!r}; give bytes, or a text like '300M' or '2GiB'", "usage")


def whole(value: Any, name: str, most: int = 2**63 - 1) -> int:
    """A whole number from 0 on.

    Raises BadInput.
    """
    try:
        number = value.__index__()
    except AttributeError:
        raise BadInput(f"{name} is {value!r}, no whole number", "usage") from None
    if not 0 <= number <= most:
        raise BadInput(f"{name} is {number}; give 0 to {most}", "usage")
    return number


def seconds(time: datetime | int | float | None) -> int:
    """Seconds since 1970, as the library takes them; 0 for now, or for no bound.

    Raises BadInput.
    """
    if time is None:
        return 0
    try:
        found = int(time.timestamp()) if isinstance(time, datetime) else int(time)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{time!r} is no time; give a datetime or seconds", "usage") from None
    if abs(found) >= 2**62:
        raise BadInput(f"{found} seconds are no time", "usage")
    return found
