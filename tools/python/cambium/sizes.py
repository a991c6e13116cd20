"""Amounts of memory as people write them."""

from __future__ import annotations

import re

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
