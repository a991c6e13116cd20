import Elements
import TestSupport

/// Which bytes of a store's file are what, read from the structures of LMDB 0.9 (mdb.c) apart from
/// the program's own walk.
///
/// Bytes in no region are unused: room in pages, free pages, the padding
/// in a page's header, the older meta page's state.
struct FileRegions {
    private static let page = 4096

    private let bytes: [UInt8]
    private(set) var regions: [String: [Range<Int>]] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let metas = [0, Self.page].map { (number($0 + 144, 8), $0) }
        let (newest, older) =
            metas[0].0 < metas[1].0 ? (metas[1].1, metas[0].1) : (metas[0].1, metas[1].1)
        add("meta", newest + 10, 2)
        add("meta", newest + 16, 136)
        add("older meta's transaction", older + 144, 8)
        walk(number(newest + 80, 8), "free list")
        walk(number(newest + 128, 8), "main")
    }

    private func number(_ offset: Int, _ size: Int) -> Int {
        (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }

    private mutating func add(_ region: String, _ start: Int, _ count: Int) {
        if count > 0 { regions[region, default: []].append(start..<(start + count)) }
    }

    private mutating func walk(_ root: Int, _ name: String) {
        guard root != -1 else { return }
        let start = root * Self.page
        let isBranch = bytes[start + 10] & 1 != 0
        let kind = name == "free list" ? name : isBranch ? "branch" : "leaf"
        let lower = number(start + 12, 2)
        add("\(kind) page header", start, 8)
        add("\(kind) page header", start + 10, 6)
        add("\(kind) pointers", start + 16, lower - 16)
        for index in 0..<((lower - 16) / 2) {
            let node = start + number(start + 16 + 2 * index, 2)
            let (low, flags, key) = (number(node, 4), number(node + 4, 2), number(node + 6, 2))
            add("\(kind) nodes", node, 8)
            // LMDB does not read a branch's first key.
            if !isBranch || index > 0 { add("\(kind) keys", node + 8, key) }
            let value = node + 8 + key
            if isBranch {
                walk(low | flags << 32, name)
            } else if flags & 2 != 0 {
                add("\(kind) nodes", value, 48)
                walk(
                    number(value + 40, 8),
                    String(decoding: bytes[(node + 8)..<value], as: UTF8.self))
            } else if flags & 1 != 0 {
                add("\(kind) nodes", value, 8)
                let run = number(value, 8) * Self.page
                add("overflow header", run, 8)
                add("overflow header", run + 10, 6)
                add("\(name) records", run + 16, low)
            } else {
                add(name == "free list" ? "free list values" : "\(name) records", value, low)
            }
        }
    }
}
