"""The model of models.py in four forms beside llama.cpp: speed and quality, from files of the same weights."""
import os

from harness.bench import turns
from harness.programs import Failure, peer, run as call, script
from harness.report import at_least
from targets.models_answers import joined

# Form, the revision that has it, and what is asked of decoding.
FORMS = (("f32", "main", 1.1), ("bf16", "bf16", 1.1), ("q8_0", "q8", 1.2), ("q4_0", "q4", 1.2))
TEXTS = (1, 4, 16)
LONG = 1024


def quantise(models):
    """Our own forms of 8 and 4 bits, of all matrices but routers: the numbers of Q8_0 and Q4_0."""
    for side in models.bench.sides:
        for form in ("q8", "q4"):
            side.cambium("quantize", "main", "--experts", form, "--dense", form, "--embeddings", form, "--branch", form,
                         "--store", models.store(side))


def quality(bench, form, text, first, ours, theirs, exact):
    """Bits of each token of a text that the exact model wrote: what a form costs."""
    told = {}
    for name, program, words in (("cambium", ours, (2,)), ("llama.cpp", theirs, ())):
        told[name] = bits = program.ask("score", joined(text), first, *words)["bits_per_token"]
        exact.setdefault(name, bits)
        bench.note(form, "bits of a token of the F32 model's own text", bits, "bits", by=name)
        bench.note(form, "more than F32", bits - exact[name], "bits", by=name)
    # Its cache holds keys and values of 16 bits, so that near-ties of random weights may fall otherwise.
    if form == "f32" and abs(told["cambium"] / told["llama.cpp"] - 1) > 0.05: raise Failure(f"bits of a token: {told}")


def beside_llama(models, prompt):
    bench, size = models.bench, models.size
    side = bench.sides[0]
    long = [(7 + 37 * i) % size["vocabulary"] for i in range(256 if bench.quick else LONG)]
    with models.program(side, "main") as one: text = prompt + one.ask("decode", joined(prompt), 48, 2)["tokens"]
    exact = {}
    for form, revision, wanted in FORMS:
        bench.say(f"beside llama.cpp, {form}")
        path = f"{bench.args.dir}/{form}.gguf"
        call(*script("llama_models.py", "write", f"{models.models}/fp32", form, path))
        programs = {"cambium": models.program(side, revision)}
        try:
            programs["llama.cpp"] = peer("llama.cpp", "llama_models.py", "serve", path, 2, max(TEXTS))
            ours, theirs = programs["cambium"], programs["llama.cpp"]
            quality(bench, form, text, len(prompt), ours, theirs, exact)
            tasks = {"decode": ("decode", joined(prompt), models.count),
                     "prompt": ("decode", joined(long), 2),
                     **{f"{texts} texts": ("together", joined(prompt), texts, models.count) for texts in TEXTS[1:]}}
            found = turns(models.rounds, {
                (by, task): lambda _, one=one, words=words: one.ask(*words, *((2,) if one is ours else ()))
                for task, words in tasks.items() for by, one in programs.items()})
        finally:
            for one in programs.values(): one.close()
            os.remove(path)

        def note(task, what, value, goal):
            values = {by: [value(answer) for answer in found[by, task]] for by in programs}
            bench.note(form, what, values["llama.cpp"], "tokens/s", by="llama.cpp")
            bench.note(form, what, values["cambium"], "tokens/s", goal=goal,
                       against=bench.median("llama.cpp", values["llama.cpp"]))

        note("decode", "decode, 2 threads", lambda answer: answer["tokens_per_s"], at_least(wanted))
        note("prompt", f"prompt of {len(long)}", lambda answer: len(long) / answer["prefill_seconds"], at_least(2))
        for texts in TEXTS[1:]:
            note(f"{texts} texts", f"{texts} texts at once", lambda answer: answer["tokens_per_s"], None)
