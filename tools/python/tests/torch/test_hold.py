"""Fine-tunes that are held to what a model did on states of old text."""

from __future__ import annotations

import struct

import models
import numpy as np
import pytest
import torch
import transformers
from transformers import Trainer, TrainingArguments

import cambium
from cambium.transformers import HoldCallback, states_of, stored_states

pytestmark = pytest.mark.filterwarnings("ignore")


def batch(seed: int) -> torch.Tensor:
    return torch.randint(1, 64, (16, 8), generator=torch.Generator().manual_seed(seed))


def fine_tune(folder, hold_weights, family="Olmoe", **more):
    """A model after some steps, how far it went, and the hold."""
    model = models.tiny(family)
    states = states_of(model, [batch(1)], 64)
    hold = HoldCallback(model, states, *hold_weights)
    rows = batch(2)
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=8, per_device_train_batch_size=4, learning_rate=1e-2, save_strategy="no",
        logging_steps=1, report_to=[], disable_tqdm=True, use_cpu=True, seed=7, **more)
    trainer = Trainer(
        model=model, args=arguments, callbacks=[hold],
        train_dataset=[{"input_ids": row, "labels": row} for row in rows])
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    with torch.no_grad():
        hold.loss()
    return model, hold, trainer


@pytest.mark.parametrize("family", ["Olmoe", "Mixtral", "Qwen3Moe"])
def test_it_keeps_close(tmp_path, family):
    """Outputs and routers stay nearer the more they count; the log tells how near."""
    _, free, _ = fine_tune(tmp_path, (1e-6, 1e-6), family)
    _, router, _ = fine_tune(tmp_path, (0, 30), family)
    _, held, trainer = fine_tune(tmp_path, (30,), family)
    assert held.output < 0.7 * free.output
    assert router.router < 0.7 * free.router
    logs: dict = {}
    held.on_log(trainer.args, trainer.state, trainer.control, logs=logs)
    assert logs == {"hold_output": held.output, "hold_router": held.router}


def test_gradients():
    """The gradient of the loss is that of finite differences."""
    model = models.tiny("Olmoe").double()
    states = states_of(model, [batch(1)], 16)
    hold = HoldCallback(model, states, 0.7, 1.3)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    hold.loss().backward()
    checked = 0
    for name, parameter in model.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            assert ".mlp." not in name
            continue
        checked += 1
        norm = parameter.grad.norm()
        with torch.no_grad():
            way = parameter.grad / norm * 1e-5
            parameter += way
            above = hold.loss()
            parameter -= 2 * way
            below = hold.loss()
            parameter += way
        # The distribution of the router is taken in 32 bits.
        assert float(above - below) / 2e-5 == pytest.approx(float(norm), rel=0.05, abs=0.02), name
    assert checked >= 4


def test_nothing_changed():
    """What did not change has no distance, whichever states are drawn; and more than a step takes are drawn anew."""
    model = models.tiny("Olmoe")
    hold = HoldCallback(model, states_of(model, [batch(1)], 100), count=10)
    assert float(hold.loss()) < 1e-10 > float(hold.loss())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    first, second = hold.loss(1), hold.loss(2)
    assert first != second and hold.loss(1) == first


def test_stored(store, tmp_path):
    """States that a store keeps as evidence are read as they are in docs/format.md."""
    models.tiny("Olmoe").save_pretrained(tmp_path / "model")
    store.commit(tmp_path / "model", message="base")
    assert stored_states(store["main"]) == {}
    with pytest.raises(cambium.NotFound, match="evidence add --kind states"):
        HoldCallback(models.tiny("Olmoe"), store["main"])
    numbers = np.array([[1, -0.5], [3, 0]], np.float32)
    record = b"CEVS\x01" + b"\x01a" + bytes(32) + b"\x90\x03" + bytes(32) + b"\x02\x01\x83\x01\x02"
    record += b"".join(struct.pack("<f", value)[2:] for value in numbers.flat)

    # Of a model with hashed experts too: one order of 16 rows, of which both tokens pick the first.
    hashed = record.replace(b"CEVS\x01", b"CEVS\x02", 1) + b"\x01\x02\x10" + bytes(8)
    # Of another model, whose states are wider.
    wide = record[:-11] + b"\x83\x01\x03" + bytes(2 * 2 * 3)

    class Files:
        def __init__(self, *names: str) -> None:
            self.files = names

        def file(self, name: str) -> bytes:
            return {"n": b'{"hidden_size": 2}', "1": record, "2": b"CEVC\x01" + bytes(99), "3": hashed, "4": wide}[
                name[-1]]

    names = ["evidence.1", "evidence.2", "evidence.3"]
    for snapshot in [Files(*names), Files("config.json", *names, "evidence.4")]:
        found = stored_states(snapshot)
        assert list(found) == [131] and np.array_equal(found[131], np.concatenate([numbers, numbers]))
    assert stored_states(Files("evidence.1", "evidence.4"), 3)[131].shape == (2, 3)
    with pytest.raises(cambium.BadInput, match=r"\[2, 3\]"):
        stored_states(Files("evidence.1", "evidence.4"))


def test_refusals(tmp_path):
    """What cannot be held is refused by name."""
    model = models.tiny("Olmoe")
    states = states_of(model, [batch(1)], 8)
    for weights in [(-1,), (0,), (0, 0)]:
        with pytest.raises(cambium.BadInput):
            HoldCallback(model, states, *weights)
    with pytest.raises(cambium.BadInput):
        HoldCallback(model, states, count=0)
    with pytest.raises(cambium.BadInput, match="no blocks"):
        HoldCallback(torch.nn.Linear(2, 2), states)
    with pytest.raises(cambium.BadInput, match="width"):
        HoldCallback(model, {number: state[:, :3] for number, state in states.items()})
    with pytest.raises(cambium.NotFound):
        HoldCallback(model, {0: states[0]})
    hold = HoldCallback(model, states)
    with pytest.raises(cambium.BadInput, match="fp16"):
        hold.on_train_begin(type("Arguments", (), {"world_size": 1, "fp16": True})(), None, None)
