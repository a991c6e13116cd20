"""Adapters of peft."""

from __future__ import annotations

import models
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

import cambium


@pytest.fixture
def adapted(tmp_path):
    """A store with a base, the base, and an adapter's folder."""
    base = models.tiny()
    base.save_pretrained(tmp_path / "base")
    store = cambium.init(tmp_path / "A")
    store.commit(tmp_path / "base", message="base")
    lora = get_peft_model(models.tiny(), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    with torch.no_grad():
        for name, parameter in lora.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.1)
    lora.save_pretrained(tmp_path / "lora")
    return store, base, tmp_path / "lora"


def test_an_adapter_comes_back_as_it_was(adapted, tmp_path):
    store, _, folder = adapted
    result = store.commit_adapter(folder, base="main", branch="lora")
    assert result.branch == "lora" and store["lora"].metadata["adapter.base"] == store["main"].id
    assert store["lora"].commit.parents == [store["main"].id]
    store["lora"].export(tmp_path / "out")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()


def test_a_baked_adapter_is_what_peft_merges(adapted):
    store, base, folder = adapted
    store.commit_adapter(folder, base="main", branch="baked", message="merged", bake=True)
    merged = PeftModel.from_pretrained(base, folder).merge_and_unload().state_dict()
    found = store.snapshot("baked", framework="pt")
    assert found.message == "merged"
    for name, tensor in found.items():
        if name in merged:
            assert torch.allclose(tensor[...], merged[name], atol=1e-6), name
    assert {name for name in store.diff("main", "baked").tensors} == {
        name for name in found if "q_proj" in name or "v_proj" in name}


def test_what_is_no_adapter_is_refused(adapted, tmp_path):
    store, _, folder = adapted
    before = store["main"].id
    for wrong in (
        lambda: store.commit_adapter(tmp_path / "base", base="main", branch="x"),
        lambda: store.commit_adapter(tmp_path / "nothing", base="main", branch="x"),
        lambda: store.commit_adapter(folder, base="nothing", branch="x"),
    ):
        with pytest.raises(cambium.CambiumError) as failure:
            wrong()
        assert failure.value.code != "internal"
    assert store["main"].id == before and "x" not in store
