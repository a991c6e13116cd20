"""Compares models that got one more expert with what transformers makes of their exports.

    CAMBIUM_WRITE_CHECKPOINTS=/tmp/checkpoints tools/test --filter WriteCheckpoints
    CAMBIUM=.build/release/cambium python3 tools/golden/grown.py /tmp/checkpoints [FAMILY...]     needs torch and transformers 5.23

Each family's checkpoint is committed, `expert add` gives every layer a copy of its expert 1 with a router row of its own, and
the export is loaded: 12 greedy tokens have to be the same, up to an end token, and the bits of each byte of a text to 1e-5.
Families that `expert add` refuses are told with its words.
"""
import json, math, os, random, subprocess, sys, tempfile
import torch
from logits import load

random = random.Random(1)
OLD = bytes(random.choice(range(97, 105)) for _ in range(8192))
NEW = bytes(random.choice(range(200, 204)) for _ in range(1024))
TEXT = bytes(random.randrange(3, 256) for _ in range(48))
PROMPT, COUNT = b"abcdefgh", 12


class Folder:
    """A store, and the texts."""

    def __init__(self, path):
        self.path = path
        for name, text in (("old", OLD), ("new", NEW), ("text", TEXT)):
            with open(f"{path}/{name}", "wb") as file:
                file.write(text)

    def call(self, *words):
        made = subprocess.run(
            [os.environ.get("CAMBIUM", "cambium"), *words, "--store", f"{self.path}/store"], capture_output=True, text=True)
        if made.returncode:
            raise ValueError(made.stderr.strip().splitlines()[0])
        return made.stdout

    def grow(self, checkpoint):
        """The export of a model with one more expert in each layer."""
        self.call("init")
        self.call("commit", checkpoint, "-m", "base")
        self.call("expert", "add", "main", "--from", f"{checkpoint}:1", "--evidence", f"{self.path}/new", "--keep",
                  f"{self.path}/old", "--unchanged", "0.9")
        self.call("export", "main", f"{self.path}/export")
        return f"{self.path}/export"

    def ours(self):
        made = json.loads(self.call("generate", "main", "--prompt", PROMPT.decode(), "-n", str(COUNT), "--json"))
        found = json.loads(self.call("eval", "main", "--text", f"{self.path}/text", "--window", "48", "--json"))
        return made["tokens"], found["rows"][0]["bitsPerByte"]


def theirs(export):
    model, made = load(export).eval(), list(PROMPT)
    with torch.no_grad():
        for _ in range(COUNT):
            made.append(int(model(torch.tensor([made])).logits[0, -1].argmax()))
        rows = torch.log_softmax(model(torch.tensor([list(TEXT)])).logits[0].double(), -1)
    nats = -sum(rows[place, token].item() for place, token in enumerate(TEXT[1:]))
    return made[len(PROMPT):], nats / math.log(2) / (len(TEXT) - 1)


different = 0
for family in sys.argv[2:] or sorted(os.listdir(f"{sys.argv[1]}/hf")):
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path)
        try:
            export = folder.grow(f"{sys.argv[1]}/hf/{family}/model")
        except ValueError as refusal:
            print(family, "is refused:", refusal)
            continue
        (tokens, bits), (others, other) = folder.ours(), theirs(export)
        same = tokens == others[:len(tokens)] and len(tokens) > 0 and abs(bits - other) < 1e-5
        different += not same
        print(family, "is the same" if same else f"DIFFERS: {tokens} {others}", f"{bits:.6f} {other:.6f} bits", flush=True)
sys.exit(different > 0)
