import Files
import KeyValue
import Objects
import Snapshots
import TestSupport

/// A stored store of one format: `Fixtures/format-N/{data.mdb.runs,ids.txt}`.
///
/// The file is kept without its zeros: runs of a literal's length, the literal, and a count of
/// zeros, each number 32 bits, little-endian.
struct Fixture {
    let format: Int
    /// Commit ids by label, and tree ids by "tree of " and the label.
    let ids: [String: ObjectID]

    static func directory(_ format: Int) -> String {
        let here = #filePath
        return here.dropLast("Fixture.swift".count) + "Fixtures/format-\(format)"
    }

    init(format: Int) throws {
        self.format = format
        let text = String(
            decoding: try readStoreFile(Self.directory(format) + "/ids.txt"), as: UTF8.self)
        var ids: [String: ObjectID] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            if parts.count == 2 { ids[String(parts[1])] = ObjectID(hex: String(parts[0])) }
        }
        self.ids = ids
    }

    /// Writes the fixture's store to a new directory.
    func unpack(to directory: String) throws {
        let packed = try readStoreFile(Self.directory(format) + "/data.mdb.runs", limit: 1 << 22)
        var decoder = ByteDecoder(packed, "the fixture")
        var bytes: [UInt8] = []
        while decoder.remaining > 0 {
            bytes += try decoder.take(Int(try decoder.number(UInt32.self)))
            bytes += [UInt8](repeating: 0, count: Int(try decoder.number(UInt32.self)))
        }
        try makeDirectory(directory)
        try writeStoreFile(directory + "/data.mdb", bytes)
    }

    /// Makes the fixture of the current format in `Fixtures/`.
    static func write(format: Int, scratch: String) throws {
        let path = scratch + "/new"
        try SnapshotStore.create(at: path)
        var lines: [String] = []
        do {
            let store = try SnapshotStore.open(path)
            let ids = try FixtureHistory.write(to: store)
            for (label, id) in ids.sorted(by: { $0.key < $1.key }) {
                lines.append("\(id.hex)\t\(label)\n")
                lines.append("\(try store.commit(id).tree.hex)\ttree of \(label)\n")
            }
        }
        let bytes = try readStoreFile(path + "/data.mdb", limit: 1 << 24)
        try makeDirectory(directory(format))
        try writeStoreFile(directory(format) + "/ids.txt", Array(lines.joined().utf8))
        try writeStoreFile(directory(format) + "/data.mdb.runs", pack(bytes))
    }

    private static func pack(_ bytes: [UInt8]) -> [UInt8] {
        var encoder = ByteEncoder()
        var offset = 0
        while offset < bytes.count {
            let start = offset
            // A literal ends where at least 16 zeros begin.
            var zeros = 0
            while offset < bytes.count, zeros < 16 {
                zeros = bytes[offset] == 0 ? zeros + 1 : 0
                offset += 1
            }
            let end = zeros == 16 ? offset - 16 : offset
            while offset < bytes.count, bytes[offset] == 0 { offset += 1 }
            encoder.append(UInt32(end - start))
            encoder.append(raw: Array(bytes[start..<end]))
            encoder.append(UInt32(offset - end))
        }
        return encoder.bytes
    }
}
