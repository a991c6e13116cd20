"""What a trainer would publish its steps with instead: each keeps every step that is asked for, and gives it back.

`commit` returns the bytes that a step added; `restore` the elements. A store with a limit keeps only the start of the
checkpoint, `elements` of them, and one that is `sampled` only the steps that are compared.
"""
import hashlib, importlib.util, json, os

import numpy as np

MIN, MAX, WINDOW, PIECE = 8 << 10, 128 << 10, 31, 1 << 20
GEAR = np.random.default_rng(64).integers(0, 1 << 32, 256, np.uint32)


def written(path, parts):
    """Writes and fsyncs a file and its folder; its bytes."""
    with open(path, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
        count = file.tell()
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return count


class StepStore:
    module, limit, sampled, timed = None, None, False, True

    def __init__(self, folder, model, base):
        """`base` is a file with the checkpoint before the first step."""
        self.folder, self.model, self.base = folder, model, base
        self.elements = model.groups(self.limit // 2 if self.limit else None)[-1]
        self.elements = self.elements[1] + self.elements[2]
        self.scale = len(model.elements) / self.elements
        self.base_bytes = self.begin()

    def begin(self): return os.path.getsize(self.base)

    def now(self): return self.model.elements[:self.elements]

    @classmethod
    def lacks(cls):
        """The module that is not there, or none."""
        if cls.module and importlib.util.find_spec(cls.module) is None: return cls.module


class Sparse(StepStore):
    """A safetensors file of each step: for each tensor the indices of its changed elements and their new values."""
    name = "sparse safetensors"

    def commit(self, number, index, value):
        tensors = self.model.tensors
        bounds = np.searchsorted(index, [first for _, first, _ in tensors] + [len(self.model.elements)])
        entries, parts, at = {}, [], 0
        for (name, first, _), low, high in zip(tensors, bounds, bounds[1:]):
            if low == high: continue
            place = index[low:high] - np.uint32(first)
            for key, kind, part in ((".index", "U32", place), (".value", "BF16", value[low:high])):
                offsets = [at, at + part.nbytes]
                entries[name + key] = {"dtype": kind, "shape": [len(part)], "data_offsets": offsets}
                parts.append(part.tobytes())
                at += part.nbytes
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return written(f"{self.folder}/{number}.safetensors", [len(text).to_bytes(8, "little"), text, *parts])

    def restore(self, number):
        found = np.fromfile(self.base, np.uint16, offset=len(self.model.header))
        places = {name: found[first:first + count] for name, first, count in self.model.tensors}
        for step in range(1, number + 1):
            with open(f"{self.folder}/{step}.safetensors", "rb") as file: data = file.read()
            start = 8 + int.from_bytes(data[:8], "little")
            entries = json.loads(data[8:start])
            for name, entry in entries.items():
                if not name.endswith(".index"): continue
                name = name.removesuffix(".index")
                count = entry["shape"][0]
                index = np.frombuffer(data, np.uint32, count, start + entry["data_offsets"][0])
                value = np.frombuffer(data, np.uint16, count, start + entries[name + ".value"]["data_offsets"][0])
                places[name][index] = value
        return found


class Chunks(StepStore):
    """Content-defined chunks as Xet cuts them, of 8 to 128 KiB and about 64, by a gear hash of 32 bytes.

    Each is kept once. Only their bytes mean something: numpy cuts slowly. An index of them is not counted.
    """
    name, limit, timed = "xet-like chunks", 64 << 20, False

    def begin(self):
        self.known, self.kept, self.recipes = set(), {}, {}
        return self.add(0)

    def cuts(self, data):
        """Ends of the chunks."""
        at = 0
        for start in range(0, len(data), PIECE):
            before = min(start, WINDOW)
            sums = GEAR[data[start - before:start + PIECE]]
            for shift in (1, 2, 4, 8, 16): sums[shift:] += sums[:-shift] << np.uint32(shift)
            # The sums of the first bytes, which lack some before them, were the last piece's.
            for end in (np.flatnonzero(sums[before:] < 1 << 16) + start + 1).tolist():
                while end - at > MAX:
                    at += MAX
                    yield at
                if end - at >= MIN:
                    at = end
                    yield at
        while at < len(data):
            at = min(at + MAX, len(data))
            yield at

    def add(self, number):
        data, at, added, recipe = self.now().view(np.uint8), 0, 0, []
        for end in self.cuts(data):
            chunk = data[at:end]
            digest = hashlib.sha256(chunk).digest()
            if digest not in self.known: added += len(chunk)
            self.known.add(digest)
            recipe.append((digest, at, end))
            at = end
        self.last = recipe
        return added

    def commit(self, number, index, value): return self.add(number)

    def keep(self, number):
        """Keeps the chunks of a step that will be read back; of the others their digests will do."""
        data = self.now().view(np.uint8)
        for digest, at, end in self.last: self.kept.setdefault(digest, data[at:end].tobytes())
        self.recipes[number] = [digest for digest, _, _ in self.last]

    def restore(self, number):
        return np.frombuffer(b"".join(self.kept[digest] for digest in self.recipes[number]), np.uint16)


class ZipNN(StepStore):
    """The whole checkpoint, each time, compressed by byte planes."""
    name, module, sampled = "ZipNN", "zipnn", True

    def begin(self):
        import zipnn
        self.zipnn = zipnn.ZipNN(bytearray_dtype="bfloat16", input_format="byte")
        return self.commit(0, None, None)

    def commit(self, number, index, value):
        data = bytearray(self.model.header) + self.model.elements.tobytes()
        return written(f"{self.folder}/{number}.znn", [self.zipnn.compress(data)])

    def restore(self, number):
        with open(f"{self.folder}/{number}.znn", "rb") as file: data = self.zipnn.decompress(file.read())
        return np.frombuffer(data, np.uint16, offset=len(self.model.header))


class Ocdbt(StepStore):
    """TensorStore's OCDBT: one key per expert and per other tensor, one atomic transaction per step."""
    name, module, limit = "OCDBT", "tensorstore", 64 << 20

    def begin(self):
        import tensorstore
        self.tensorstore, self.groups, self.size = tensorstore, self.model.groups(self.limit // 2), 0
        self.versions, self.store = [], self.open()
        return self.write(self.groups)

    def open(self, **more):
        context = self.tensorstore.Context({"file_io_sync": True})
        base = {"driver": "file", "path": self.folder + "/"}
        return self.tensorstore.KvStore.open({"driver": "ocdbt", "base": base, **more}, context=context).result()

    def write(self, groups):
        transaction = self.tensorstore.Transaction(atomic=True)
        store = self.store.with_transaction(transaction)
        for name, first, count in groups: store[name.encode()] = self.model.elements[first:first + count].tobytes()
        transaction.commit_sync()
        before = self.size
        self.size = sum(os.path.getsize(os.path.join(folder, name))
                        for folder, _, names in os.walk(self.folder) for name in names)
        return self.size - before

    def commit(self, number, index, value):
        firsts = [first for _, first, _ in self.groups]
        bounds = np.searchsorted(index, firsts + [self.elements])
        return self.write([group for group, low, high in zip(self.groups, bounds, bounds[1:]) if low < high])

    def restore(self, number):
        # An empty store is the first version, the base the second.
        store = self.open(version=number + 2)
        pending = [store.read(name.encode()) for name, _, _ in self.groups]
        return np.frombuffer(b"".join(answer.result().value for answer in pending), np.uint16)


STORES = (Sparse, Chunks, ZipNN, Ocdbt)
