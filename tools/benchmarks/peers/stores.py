"""What a user would pick instead: each keeps every round, fsyncs it, and gives any expert back."""
import os, shutil

import numpy as np

import data


class Ocdbt:
    """TensorStore's OCDBT: raw KvStore, one key per expert, one atomic transaction per round."""
    module, config = "tensorstore", {}
    note = "defaults (B+tree nodes up to 8 MiB decoded, zstd), file_io_sync on, atomic transaction"

    def __init__(self, folder, count, size):
        import tensorstore
        self.tensorstore, self.folder = tensorstore, folder
        self.store = self.open(0)

    def open(self, cache):
        context = self.tensorstore.Context(
            {"cache_pool": {"total_bytes_limit": cache}, "file_io_sync": True})
        base = {"driver": "file", "path": self.folder + "/"}
        spec = {"driver": "ocdbt", "base": base, "config": self.config}
        return self.tensorstore.KvStore.open(spec, context=context).result()

    def commit(self, ids, rows, version):
        transaction = self.tensorstore.Transaction(atomic=True)
        store = self.store.with_transaction(transaction)
        for number, row in zip(ids, rows):
            store[b"%012d" % number] = row
        transaction.commit_sync()

    def begin_reads(self):
        """Random reads get a cache of decoded nodes; without one each read decodes megabytes."""
        self.reader = self.open(1 << 30)

    def read(self, number):
        return self.reader[b"%012d" % number]

    def read_many(self, ids):
        pending = [self.store.read(b"%012d" % number) for number in ids]
        return [answer.result().value for answer in pending]


class OcdbtSmallNodes(Ocdbt):
    """The same with smaller nodes: what someone who knows OCDBT would set for tiny changes."""
    config = {"max_decoded_node_bytes": 65536}
    note = "as ocdbt, but max_decoded_node_bytes 64 KiB"


class LMDB:
    """python-lmdb: one value per expert and version, keys in the order of the experts."""
    module = "lmdb"
    note = "one value per (expert, version), sync on, no WRITEMAP, one transaction per round"

    def __init__(self, folder, count, size):
        import lmdb
        self.size = size
        self.environment = lmdb.open(folder, map_size=1 << 36, sync=True, metasync=True)
        self.latest = np.zeros(count, dtype=np.uint32)

    def commit(self, ids, rows, version):
        keys = [int(i).to_bytes(4, "big") + version.to_bytes(4, "big") for i in ids]
        with self.environment.begin(write=True) as transaction:
            with transaction.cursor() as cursor:
                cursor.putmulti(list(zip(keys, rows)), append=version == 0)
        self.latest[np.asarray(ids)] = version

    def begin_reads(self):
        self.reader = self.environment.begin(buffers=True)

    def read(self, number):
        key = int(number).to_bytes(4, "big") + int(self.latest[number]).to_bytes(4, "big")
        return self.reader.get(key)

    def read_many(self, ids):
        with self.environment.begin() as self.reader:
            return [self.read(number) for number in ids]


class Safetensors:
    """A full copy of one uint8 tensor per round, then fsync of the file and its folder."""
    module = "safetensors"
    note = "one tensor (experts, size), full copy + fsync; older copies are removed untimed"

    def __init__(self, folder, count, size):
        from safetensors import safe_open
        from safetensors.numpy import save_file
        self.open, self.save, self.folder = safe_open, save_file, folder
        self.rows = np.zeros((count, size), dtype=np.uint8)

    def prepare(self, ids, rows, version):
        """Changing the tensor in memory is training's work, so it is not timed."""
        for number, row in zip(ids, rows):
            self.rows[number] = np.frombuffer(row, dtype=np.uint8)
        self.path, self.old = f"{self.folder}/{version}.safetensors", getattr(self, "path", None)

    def commit(self, ids, rows, version):
        self.save({"experts": self.rows}, self.path)
        for path in (self.path, self.folder):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def finish(self):
        if self.old: os.remove(self.old)

    def begin_reads(self):
        self.file = self.open(self.path, "numpy")
        self.slice = self.file.get_slice("experts")

    def read(self, number):
        return self.slice[number:number + 1].tobytes()

    def read_many(self, ids):
        self.begin_reads()
        return [self.read(number) for number in ids]


STORES = {"ocdbt": Ocdbt, "ocdbt-64k": OcdbtSmallNodes, "lmdb": LMDB, "safetensors": Safetensors}
