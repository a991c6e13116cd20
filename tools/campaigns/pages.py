"""Which bytes of LMDB's file are what: read from the structures of LMDB 0.9 (mdb.c), apart from the program's own walk."""
import struct

PAGE = 4096
BIG, SUB = 1, 2


def regions(data):
    """{region: [(start, end)…]} of a data.mdb; bytes in none of them are unused."""
    found = {}

    def add(region, start, length):
        if length > 0:
            found.setdefault(region, []).append((start, start + length))

    metas = []
    for number in (0, 1):
        start = number * PAGE + 16
        magic, _ = struct.unpack_from("<II", data, start)
        if magic == 0xBEEFC0DE:
            metas.append((struct.unpack_from("<Q", data, start + 24 + 96 + 8)[0], start))
    _, meta = max(metas)
    add("meta", meta, 136)

    def database(at):
        return struct.unpack_from("<Q", data, at + 40)[0]

    def walk(root, name):
        if root == 0xFFFF_FFFF_FFFF_FFFF:
            return
        start = root * PAGE
        _, flags, lower, upper = struct.unpack_from("<HHHH", data, start + 8)
        count = (lower - 16) // 2
        kind = "branch" if flags & 1 else "leaf"
        prefix = "free list" if name == "free list" else kind
        add(f"{prefix} page header", start, 16)
        add(f"{prefix} pointers", start + 16, lower - 16)
        for index in range(count):
            node = start + struct.unpack_from("<H", data, start + 16 + 2 * index)[0]
            low, high, node_flags, key = struct.unpack_from("<HHHH", data, node)
            add(f"{prefix} nodes", node, 8 + key)
            if kind == "branch":
                walk(low | high << 16 | node_flags << 32, name)
                continue
            size, value = low | high << 16, node + 8 + key
            if node_flags & SUB:
                add(f"{prefix} nodes", value, 48)
                walk(database(value), data[node + 8:value].decode("latin1"))
            elif node_flags & BIG:
                add(f"{prefix} nodes", value, 8)
                page = struct.unpack_from("<Q", data, value)[0]
                add("overflow header", page * PAGE, 16)
                add(f"{name} records", page * PAGE + 16, size)
            else:
                add("free list values" if name == "free list" else f"{name} records", value, size)

    walk(database(meta + 24), "free list")
    walk(database(meta + 24 + 48), "main")
    return found
