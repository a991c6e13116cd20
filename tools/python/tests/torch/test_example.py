"""The whole example that the interface was designed by, as one would write it."""

from __future__ import annotations

import pickle

import models
import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainingArguments

import cambium
from cambium.torch import StorageReader, StorageWriter
from cambium.transformers import CambiumCallback, from_pretrained

NAME = "model.layers.3.mlp.gate.weight"


class Texts(torch.utils.data.Dataset):
    """A few lines of tokens."""

    def __len__(self):
        return 8

    def __getitem__(self, row):
        tokens = torch.randint(1, 64, (8,), generator=torch.Generator().manual_seed(row))
        return {"input_ids": tokens, "labels": tokens}


@pytest.fixture
def model():
    return models.tiny(num_hidden_layers=4, num_experts=32, vocab_size=256)


@pytest.mark.filterwarnings("ignore")
def test_the_whole_example(tmp_path, monkeypatch, model, capsys):
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("out/checkpoint-0")
    cambium.init("S").commit("out/checkpoint-0", message="base")

    store = cambium.open("S")
    snap = store["main"]
    assert pickle.loads(pickle.dumps(snap)).id == snap.id
    assert NAME in snap.keys()
    info = snap.info(NAME)
    assert (info.dtype, info.shape) == ("F32", (32, 32))
    w = snap.get_tensor(NAME, framework="pt")
    a = snap.get_tensor(NAME, framework="np")
    assert torch.equal(w, model.get_parameter(NAME)) and np.array_equal(a, w.numpy())
    assert np.array_equal(snap.get_slice(NAME)[:, ::8], a[:, ::8])
    e = snap.experts(layer=3)[17]
    assert list(e.tensors) == ["gate_proj", "up_proj", "down_proj"] and len(e.id) == 64
    assert e.nbytes == 3 * 32 * 16 * 4 and e.shared_by() == ["heads/main"]

    with torch.no_grad():
        model.get_parameter(NAME)[0] += 1
    model.save_pretrained("out/checkpoint-500")
    c = store.commit("out/checkpoint-500", branch="sft", message="500", parent=snap.id)
    assert c.parents == [snap.id]
    with pytest.raises(cambium.BranchMoved):
        store.commit("out/checkpoint-500", branch="sft", message="500", parent=snap.id)
    with torch.no_grad():
        model.model.layers[2].mlp.experts.down_proj[5] += 1
    c = store.commit(model.state_dict(), config=model.config, branch="sft", message="510",
                     metadata={"eval.gsm8k": .41})
    assert c["newExperts"] == 1
    d = torch.ones(32, 16)
    row = torch.zeros(32)
    with store.transaction("sft", message="3 experts") as t:
        t.put_expert(layer=3, expert=17, tensors={"down_proj": d})
        t.put_rows(NAME, [17], row)
    model.save_pretrained("model")
    get_peft_model(models.tiny(num_hidden_layers=4, num_experts=32, vocab_size=256),
                   LoraConfig(target_modules=["q_proj"])).save_pretrained("lora/")
    store.commit_adapter("lora/", base="main", branch="lora")
    store.branch("sw", at="main")
    store.tag("v1", "main")
    for c in store.log("sft", limit=20):
        print(c.id, c.metadata)
    assert "{'eval.gsm8k': '0.41'}" in capsys.readouterr().out
    d = store.diff("main", "sft")
    assert d.experts[3] == [17] and d.experts[2] == [5] and d.bytes > 2 * e.nbytes
    store.branch("math", at="main")
    for branch, value in (("sw", 2.0), ("math", 3.0)):
        with store.transaction(branch, message=branch) as t:
            t.put_expert(layer=1, expert=9, tensors={"down_proj": torch.full((32, 16), value)})
    m = store.merge(["sw", "math"], into="main", policy="ties", dry_run=True)
    assert m.kind == "merged" and [one["path"] for one in m.settled] == ["1/9"]
    assert not store.gc(prune=True).dead_bytes
    assert store["main"].id == snap.id

    sd = model.state_dict()
    dcp.async_save(
        sd, storage_writer=StorageWriter("S", branch="run7", message="500")).result()
    loaded = {name: torch.zeros_like(tensor) for name, tensor in sd.items()}
    dcp.load(loaded, storage_reader=StorageReader("S", "run7"))
    assert models.same(loaded, sd)

    arguments = TrainingArguments(
        "out", max_steps=2, save_steps=1, per_device_train_batch_size=2, use_cpu=True,
        report_to=[], disable_tqdm=True)
    Trainer(model, arguments, train_dataset=Texts(), callbacks=[
        CambiumCallback("S", branch="sft", keep_files=False)]).train()
    assert len(store.log("main..sft")) == 5
    trained = from_pretrained("S@sft", experts="mapped", device_map="cpu")
    assert models.logits(trained).shape == (2, 7, 256)

    eng = store.engine("main", memory_limit="3G")
    text = ""
    for piece in eng.stream("Once", max_new_tokens=40):
        print(piece, end="")
        text += piece
    assert text == eng.generate("Once", max_new_tokens=40)
    assert store.verify().ok
