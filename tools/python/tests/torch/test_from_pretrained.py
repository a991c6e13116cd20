"""Models of transformers loaded from a revision."""

from __future__ import annotations

import copy
import gc
import pickle

import models
import pytest
import torch
import transformers

import cambium
from cambium.transformers import from_pretrained

pytestmark = pytest.mark.filterwarnings("ignore")
EXPERTS = "model.layers.1.mlp.experts"


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["F32", "BF16"])
def dtype(request):
    return request.param


def committed(store, folder, model, branch: str = "main"):
    model.save_pretrained(folder)
    store.commit(folder, branch=branch, message="as saved")
    return type(model).from_pretrained(folder)


@pytest.mark.parametrize("experts", [None, "mapped"])
@pytest.mark.parametrize("family", models.FAMILIES)
def test_a_revision_runs_as_its_folder_does(store, tmp_path, family, experts, dtype):
    wanted = committed(store, tmp_path / "folder", models.tiny(family, dtype))
    model = from_pretrained(f"{store.path}@main", experts=experts)
    assert type(model) is type(wanted) and model.dtype is dtype and not model.training
    assert torch.equal(models.logits(model), models.logits(wanted))
    made = [one.generate(models.tokens(), max_new_tokens=6, do_sample=False)
            for one in (model, wanted)]
    assert torch.equal(*made)


def test_live_and_saved_names_load_the_same(store, tmp_path):
    model = models.tiny()
    store.commit(model.state_dict(), config=model.config, message="live", branch="live")
    committed(store, tmp_path / "folder", model)
    assert models.same(from_pretrained(store["live"]).state_dict(), model.state_dict())
    assert models.same(from_pretrained(store["main"]).state_dict(), model.state_dict())


def test_a_loaded_model_trains(store, tmp_path):
    wanted = committed(store, tmp_path / "folder", models.tiny())
    model = from_pretrained(f"{store.path}@main")
    before = store["main"].get_tensor("lm_head.weight", framework="pt").clone()
    for one in (model, wanted):
        one.config._experts_implementation = "eager"
        optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
        one(models.tokens(), labels=models.tokens()).loss.backward()
        optimizer.step()
    assert models.same(model.state_dict(), wanted.state_dict())
    assert torch.equal(store["main"].get_tensor("lm_head.weight", framework="pt"), before)


def test_beside_mapped_experts_the_rest_trains(store, tmp_path):
    wanted = committed(store, tmp_path / "folder", models.tiny())
    model = from_pretrained(f"{store.path}@main", experts="mapped")
    gradients = []
    for one in (model, wanted):
        one.config._experts_implementation = "cambium" if one is model else "eager"
        one(models.tokens(), labels=models.tokens()).loss.backward()
        gradients.append({name: parameter.grad for name, parameter in one.named_parameters()})
    assert not any(".experts." in name for name in gradients[0])
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name
    torch.optim.SGD(model.parameters(), lr=0.1).step()


def test_mapped_experts_are_views_that_versions_share(store, tmp_path):
    base = models.tiny()
    committed(store, tmp_path / "folder", base)
    tuned = {name: one.clone() for name, one in base.state_dict().items()}
    tuned[f"{EXPERTS}.down_proj"][3] += 1
    store.commit(tuned, message="one expert", branch="sft")
    first, second = (
        from_pretrained(f"{store.path}@{name}", experts="mapped").get_submodule(EXPERTS)
        for name in ("main", "sft"))
    view = store["main"].experts(1)[2].get_tensor("gate_proj", framework="pt")
    assert first.cambium_experts[2][0].data_ptr() == view.data_ptr()
    same = [all(one.data_ptr() == other.data_ptr() for one, other in zip(
        first.cambium_experts[number], second.cambium_experts[number])) for number in range(8)]
    assert same == [True] * 3 + [False] + [True] * 4
    assert not list(first.parameters())


def test_mapped_models_outlive_the_store_and_are_copied(store, tmp_path):
    wanted = models.logits(committed(store, tmp_path / "folder", models.tiny()))
    model = from_pretrained(store["main"], experts="mapped")
    store.close()
    gc.collect()
    assert torch.equal(models.logits(model), wanted)
    assert torch.equal(models.logits(copy.deepcopy(model)), wanted)
    again = pickle.loads(pickle.dumps(model.get_submodule(EXPERTS).cambium_experts))
    assert torch.equal(again[1][0], model.get_submodule(EXPERTS).cambium_experts[1][0])


def test_mapped_models_are_cast_but_not_saved(store, tmp_path):
    wanted = committed(store, tmp_path / "folder", models.tiny())
    model = from_pretrained(store["main"], experts="mapped")
    with pytest.raises(cambium.ModelFailure, match="save_pretrained") as raised:
        model.save_pretrained(tmp_path / "out")
    assert raised.value.code == "unsupported"
    half, told = models.logits(model.to(torch.bfloat16)), models.logits(wanted)
    assert half.dtype is torch.bfloat16 and torch.allclose(half.float(), told, atol=0.1)
    store["main"].save_pretrained(tmp_path / "out")
    again = type(wanted).from_pretrained(tmp_path / "out")
    assert models.same(again.state_dict(), wanted.state_dict())


def test_without_copies_weights_are_views_and_frozen(store, tmp_path):
    wanted = committed(store, tmp_path / "folder", models.tiny())
    model = from_pretrained(store["main"], copy=False)
    name = "model.layers.0.self_attn.q_proj.weight"
    parameter = model.get_parameter(name)
    view = store["main"].get_tensor(name, framework="pt")
    assert parameter.data_ptr() == view.data_ptr() and not parameter.requires_grad
    assert torch.equal(models.logits(model), models.logits(wanted))


def test_another_dtype_and_class(store, tmp_path):
    committed(store, tmp_path / "folder", models.tiny())
    model = from_pretrained(f"{store.path}@main", dtype=torch.float64)
    assert model.dtype is torch.float64
    inner = from_pretrained(f"{store.path}@main", model_class=transformers.Qwen3MoeModel)
    assert type(inner) is transformers.Qwen3MoeModel
    name = "layers.1.mlp.experts.down_proj"
    assert torch.equal(inner.get_parameter(name).double(), model.model.get_parameter(name))
    _, report = from_pretrained(store["main"], output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]


def test_what_cannot_be_loaded_is_refused(store, tmp_path):
    store.commit({"weight": torch.zeros(2)}, message="no config", branch="bare")
    store.commit({"weight": torch.zeros(2)}, config={"model_type": "bert-like"}, message="unknown",
                 branch="unknown", allow_unfit=True)
    for revision, error, text in (
        ("bare", cambium.NotFound, "config.json"), ("unknown", cambium.ModelFailure, "bert-like"),
        ("nothing", cambium.NotFound, "nothing"),
    ):
        with pytest.raises(error, match=text):
            from_pretrained(f"{store.path}@{revision}")
    with pytest.raises(cambium.NotAStore):
        from_pretrained(f"{tmp_path}/none@main")
    with pytest.raises(cambium.BadInput, match="streamed"):
        from_pretrained(store["bare"], experts="streamed")


def test_experts_of_another_form_are_not_mapped(store, tmp_path):
    config = transformers.LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, architectures=["LlamaForCausalLM"])
    committed(store, tmp_path / "folder", transformers.LlamaForCausalLM(config))
    with pytest.raises(cambium.ModelFailure, match="alone can be mapped"):
        from_pretrained(store["main"], experts="mapped")
    wanted = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "folder")
    assert models.same(from_pretrained(store["main"]).state_dict(), wanted.state_dict())


def test_a_path_with_an_at_sign(tmp_path):
    with cambium.init(tmp_path / "a@b") as store:
        model = models.tiny()
        store.commit(model.state_dict(), config=model.config, message="x")
        for source in (store.path, f"{store.path}@main"):
            assert models.same(from_pretrained(source).state_dict(), model.state_dict())
