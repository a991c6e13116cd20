"""Advice about what is read next changes nothing but when it is read."""

from __future__ import annotations

import pytest
import torch

from cambium.readahead import will_need


@pytest.mark.parametrize("size", [0, 1, 1 << 14, 1 << 18])
@pytest.mark.parametrize("first", [0, 1, 5000])
def test_any_part_of_a_tensor(store, size, first):
    store.commit({"weight": torch.arange(1 << 19, dtype=torch.float32)}, message="x")
    whole = store["main"].get_tensor("weight", framework="pt")
    part = whole[first : first + size]
    will_need(part)
    assert torch.equal(part, torch.arange(first, first + size, dtype=torch.float32))
    # Memory of torch's own is advised as well, and stays as it is.
    own = part.clone()
    will_need(own)
    assert torch.equal(own, part)
