"""A tiny byte-level OLMoE trained by transformers, and fine-tunes of a few of its experts.

    torch_finetune.py train FOLDER STEPS SEED TEXT...             a base, from random weights
    torch_finetune.py tune FOLDER OUT STEPS SEED COUNT PARTS OLD NEW [WEIGHT ROUTER STATES TEXT...]
                                                                  of COUNT experts a layer, those that NEW picks
                                                                  most beside OLD, with their router rows; of PARTS
                                                                  attention with all of it, of all with all weights;
                                                                  held to so many states of each TEXT
    torch_finetune.py narrow FOLDER OUT                           a copy in BF16
    torch_finetune.py mean OUT FOLDER FOLDER                      the plain average of all weights
    torch_finetune.py ridge OUT BASE FOLDER FOLDER TEXT...        what each changed is taken, the mean where both did, and
                                                                  all routers are solved by ridge regression on each
                                                                  model's own logits on its text: the base's are those
                                                                  before the last two
"""
import json, sys, time

import torch
import transformers

CONTEXT, BATCH = 128, 12


def windows(texts, seed):
    """Endless batches of windows at random places, of all texts alike."""
    generator = torch.Generator().manual_seed(seed)
    data = [torch.frombuffer(bytearray(open(path, "rb").read()), dtype=torch.uint8) for path in texts]
    while True:
        rows = []
        for number in range(BATCH):
            text = data[number % len(data)]
            start = int(torch.randint(len(text) - CONTEXT, (1,), generator=generator))
            rows.append(text[start:start + CONTEXT])
        yield torch.stack(rows).long()


def train(model, texts, steps, seed, rate, decay, hold=None):
    """AdamW with a cosine schedule; the mean of the last losses in bits a byte. A hold's loss is added to each."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(wanted, lr=rate, weight_decay=decay, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, rate / 20)
    model.train()
    losses, begin = [], time.perf_counter()
    for _, batch in zip(range(steps), windows(texts, seed)):
        loss = model(batch, labels=batch).loss
        optimizer.zero_grad(set_to_none=True)
        (loss if hold is None else loss + hold.loss()).backward()
        torch.nn.utils.clip_grad_norm_(wanted, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if len(losses) % 100 == 0: print(f"step {len(losses)}: loss {losses[-1]:.3f}", file=sys.stderr, flush=True)
    last = losses[-20:]
    held = {} if hold is None else {"held": [hold.output, hold.router]}
    return {**held, "bits": sum(last) / len(last) / 0.6931471805599453, "seconds": time.perf_counter() - begin}


def base(seed):
    torch.manual_seed(seed)
    config = transformers.OlmoeConfig(
        vocab_size=256, hidden_size=128, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=4, num_experts=16, num_experts_per_tok=4, max_position_embeddings=256,
        router_aux_loss_coef=0.02, output_router_logits=True, tie_word_embeddings=False, pad_token_id=None,
        bos_token_id=None, eos_token_id=None)
    return transformers.OlmoeForCausalLM(config)


def load(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    model.set_experts_implementation("grouped_mm")
    return model


def save(model, folder): model.save_pretrained(folder, max_shard_size="20GB")


@torch.no_grad()
def picked(model, text, seed):
    """How often each expert of each layer is picked, [layers, experts]."""
    top, counts = model.config.num_experts_per_tok, 0
    for _, batch in zip(range(8), windows([text], seed)):
        logits = torch.stack(model(batch, output_router_logits=True).router_logits)
        ids = logits.reshape(logits.shape[0], -1, logits.shape[-1]).topk(top).indices
        counts = counts + torch.nn.functional.one_hot(ids, logits.shape[-1]).sum((1, 2))
    return counts.double()


def choose(model, count, parts, old, new, seed):
    """Only the experts that the new text picks most beside the old one learn, and their rows; and all of `parts`."""
    usage = picked(model, new, seed) * (picked(model, new, seed) / (1 + picked(model, old, seed)))
    chosen = usage.topk(count).indices
    for name, parameter in model.named_parameters():
        of_experts = ".mlp.experts." in name or ".mlp.gate." in name
        parameter.requires_grad = of_experts or parts == "all" or (parts == "attention" and ".self_attn." in name)
        if not of_experts: continue
        rows = chosen[int(name.split(".layers.")[1].split(".")[0])]
        mask = torch.zeros(parameter.shape[0], dtype=parameter.dtype)
        mask[rows] = 1
        mask = mask.reshape(-1, *[1] * (parameter.dim() - 1))
        # Without a gradient, and without decay, AdamW leaves a weight as it is, bit for bit.
        parameter.register_hook(lambda gradient, mask=mask: gradient * mask)
    return chosen.sort().values.tolist()


def hold_of(model, weight, router, states, *texts):
    """The Python package's hold of a model, on so many states of each text, of windows spread over it."""
    from cambium.transformers import HoldCallback, states_of
    parts = []
    for path in texts:
        data = torch.frombuffer(bytearray(open(path, "rb").read()), dtype=torch.uint8)
        starts = torch.linspace(0, len(data) - CONTEXT, 64).long()
        batch = torch.stack([data[start:start + CONTEXT] for start in starts]).long()
        parts.append(states_of(model, [batch], int(states)))
    whole = {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}
    return HoldCallback(model, whole, float(weight), float(router))


@torch.no_grad()
def ridge(folders, texts):
    """The three-way merge, its routers solved layer by layer (as DUME does it for whole models)."""
    base, *sides = (load(folder) for folder in folders)
    merged = load(folders[0])
    for out, old, *new in zip(*(model.parameters() for model in (merged, base, *sides))):
        # Experts are stacked, so what changed is told apart by the first dimension.
        dims = tuple(range(1, old.dim()))
        changed = [((part != old).any(dims) if dims else part != old).to(old.dtype) for part in new]
        count = sum(changed).clamp(min=1).reshape(-1, *[1] * len(dims))
        out.copy_(old + sum((part - old) for part in new) / count)
    parts = [(base, text) for text in texts[:-len(sides)]] + list(zip(sides, texts[-len(sides):]))
    batches = []
    for model, path in parts:
        data = torch.frombuffer(bytearray(open(path, "rb").read()), dtype=torch.uint8)
        starts = torch.linspace(0, len(data) - 256, 39).long()
        batches.append((model, torch.stack([data[start:start + 256] for start in starts]).long(),
                        (1.5 / (len(texts) - len(sides))) if model is base else 1.0))
    goals = [torch.stack(model(batch, output_router_logits=True).router_logits) for model, batch, _ in batches]
    for number, layer in enumerate(merged.model.layers):
        seen = []
        hook = layer.mlp.gate.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].reshape(-1, inputs[0].shape[-1])))
        for _, batch, _ in batches: merged(batch)
        hook.remove()
        gram, terms = 0, 0
        for x, goal, (_, _, weight) in zip(seen, goals, batches):
            x, z = x.double(), goal[number].double()
            gram, terms = gram + weight * x.T @ x / len(x), terms + weight * x.T @ z / len(x)
        share = 1e-5 * gram.trace() / len(gram)
        start = layer.mlp.gate.weight.double().T
        eye = torch.eye(len(gram), dtype=gram.dtype)
        layer.mlp.gate.weight.copy_(torch.linalg.solve(gram + share * eye, terms + share * start).T)
    return merged


def main():
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    job, *words = sys.argv[1:]
    if job == "train":
        model = base(int(words[2]))
        model.set_experts_implementation("grouped_mm")
        answer = train(model, words[3:], int(words[1]), int(words[2]), 3e-3, 0.01)
        save(model, words[0])
    elif job == "tune":
        model, (steps, seed, count), (parts, old, new) = load(words[0]), map(int, words[2:5]), words[5:8]
        chosen = choose(model, count, parts, old, new, seed)
        hold = hold_of(model, *words[8:]) if words[8:] else None
        answer = {"experts": chosen, **train(model, [new], steps, seed, 2e-3, 0, hold)}
        save(model, words[1])
    elif job == "narrow":
        answer = {}
        save(load(words[0]).to(torch.bfloat16), words[1])
    elif job == "ridge":
        answer = {}
        save(ridge(words[1:4], words[4:]), words[0])
    elif job == "mean":
        answer, models = {}, [load(folder) for folder in words[1:]]
        with torch.no_grad():
            for parameters in zip(*(model.parameters() for model in models)):
                parameters[0].copy_(sum(part.double() for part in parameters) / len(parameters))
        save(models[0], words[0])
    else:
        sys.exit(__doc__)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
