"""A Trainer whose saves are commits."""

from __future__ import annotations

import os

import models
import pytest
import torch
import transformers
from transformers import Trainer, TrainingArguments

import cambium
from cambium import companions
from cambium.transformers import CambiumCallback, from_pretrained

pytestmark = pytest.mark.filterwarnings("ignore")
STEPS = 4


class Texts(torch.utils.data.Dataset):
    """16 rows of 8 tokens."""

    def __init__(self) -> None:
        self.rows = torch.randint(1, 64, (16, 8), generator=torch.Generator().manual_seed(3))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int):
        return {"input_ids": self.rows[number], "labels": self.rows[number]}


def trainer(folder, callback, *, seed: int = 1, **more):
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=STEPS, save_steps=2, per_device_train_batch_size=2,
        learning_rate=1e-2, logging_steps=1, report_to=[], disable_tqdm=True, use_cpu=True,
        seed=7, **more)
    made = Trainer(model=models.tiny(seed=seed), args=arguments, train_dataset=Texts(),
                   eval_dataset=Texts(), callbacks=[callback] if callback else [])
    # Nothing of it is wanted on the screen.
    made.remove_callback(transformers.PrinterCallback)
    return made


@pytest.fixture
def uninterrupted(tmp_path):
    """The weights after all steps."""
    made = trainer(tmp_path / "whole", None, save_strategy="no")
    made.train()
    return made.model.state_dict()


def test_every_save_is_a_commit(store, tmp_path, uninterrupted):
    callback = CambiumCallback(store, branch="sft", metadata={"run": "7"})
    made = trainer(tmp_path / "out", callback)
    made.train()
    assert models.same(made.model.state_dict(), uninterrupted)
    log = store.log("sft")
    assert [one.message for one in log] == ["step 4", "step 2"]
    assert log[0].id == callback.commit.id == callback.find(4).id
    assert log[0].metadata == {"run": "7", "trainer.step": "4"}
    assert log[1].metrics["loss"] > 0
    assert models.same(from_pretrained(store["sft"]).state_dict(), uninterrupted)
    # What of the model did not change is not there twice; the folder is as Trainer wrote it.
    assert "model.safetensors" in os.listdir(tmp_path / "out/checkpoint-4")
    with pytest.raises(cambium.NotFound, match="step 3"):
        callback.find(3)


@pytest.mark.parametrize("keep_files", [True, False])
def test_resuming_gives_the_weights_of_the_uninterrupted_run(
    store, tmp_path, uninterrupted, keep_files
):
    callback = CambiumCallback(store, "sft", keep_files=keep_files)
    trainer(tmp_path / "out", callback).train()
    folder = tmp_path / "out/checkpoint-2"
    if not keep_files:
        assert os.stat(folder / "model.safetensors").st_size < 1000
        # Nobody takes the folder for a model: transformers would make one of random numbers.
        with pytest.raises(ValueError, match="kept_in_a_cambium_store"):
            transformers.AutoModelForCausalLM.from_pretrained(folder)
        with pytest.raises(Exception, match="the model is commit [0-9a-f]{12} of the store"):
            transformers.Qwen3MoeForCausalLM.from_pretrained(folder)
    resumed = trainer(tmp_path / "out", callback, seed=5)
    resumed.train(resume_from_checkpoint=str(folder))
    assert models.same(resumed.model.state_dict(), uninterrupted)
    assert [one.metadata["trainer.step"] for one in store.log("sft")][0] == "4"


def test_a_folder_with_optimizer_comes_back_from_the_store_alone(store, tmp_path, uninterrupted):
    callback = CambiumCallback(store, "sft", keep_files=False, optimizer=True)
    first = trainer(tmp_path / "out", callback)
    first.add_callback(StopAt(2))
    first.train()
    (tmp_path / "out").rename(tmp_path / "gone")
    folder = callback.restore(tmp_path / "back")
    assert folder.name == "checkpoint-2" and (folder / "optimizer.pt").exists()
    resumed = trainer(tmp_path / "out", CambiumCallback(store, "sft", optimizer=True), seed=5)
    resumed.train(resume_from_checkpoint=str(folder))
    assert models.same(resumed.model.state_dict(), uninterrupted)
    head, before = store.log("sft")[:2]
    assert companions.find(store.path, head.id) and not companions.find(store.path, before.id)
    with pytest.raises(cambium.NotFound, match="optimizer"):
        callback.restore(tmp_path / "older", step=2)


class StopAt(transformers.TrainerCallback):
    """Ends a training early, as an interruption would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **_):
        control.should_training_stop = state.global_step >= self.step


def test_the_best_model_is_whole(store, tmp_path):
    callback = CambiumCallback(store, "sft", keep_files=False)
    made = trainer(tmp_path / "out", callback, eval_strategy="steps", eval_steps=2,
                   load_best_model_at_end=True)
    # The first is the better one.
    losses = iter([1.0, 2.0, 3.0])
    made.evaluate = lambda *_, **__: {"eval_loss": next(losses)}
    made.train()
    best = store.log("sft")[-1]
    assert best.metadata["trainer.step"] == "2"
    assert models.same(made.model.state_dict(), from_pretrained(store[best.id]).state_dict())
