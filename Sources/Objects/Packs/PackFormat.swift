internal import Elements

/// The fixed numbers of a pack record (docs/format.md, "Packs").
package enum PackFormat {
    static let magic: UInt32 = 0x4B41_5043  // "CPAK"
    static let version: UInt16 = 2
    package static let headerCount = 48
    /// Objects start at multiples of 64 in memory: an LMDB overflow value starts at page offset 16.
    package static let alignment = 64
    /// Objects of this size or more are records of their own.
    package static let largeObject = 64 << 10
    /// The highest unit that a record of less than 2 GiB can have.
    package static let lastUnit: UInt32 = (2 << 30) / 64
    /// Payload and directory of a full pack of small objects stay below this.
    package static let target = (1 << 20) - 16
    /// Bytes of the directory per object, and per run of objects with the same header.
    static let directoryEntryCount = 32
    static let groupEntryCount = 8

    /// The record length that fills whole LMDB pages: 4096·m − 16, so that no page is left partly
    /// used and a record is never stored inline, where it would not be aligned.
    static func recordCount(_ used: Int) -> Int { (used + 16 + 4095) / 4096 * 4096 - 16 }

    package static func key(_ pack: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: pack >> UInt64(56 - 8 * $0)) }
    }

    /// The big-endian number in at most eight bytes.
    package static func number(_ key: some Collection<UInt8>) -> UInt64 {
        key.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The pack number that a key of the table of packs holds.
    package static func packNumber(_ key: [UInt8]) throws -> UInt32 {
        guard key.count == 8, let number = UInt32(exactly: number(key)) else {
            throw CambiumError(.corrupt, "\(key) is not the key of a pack; run `cambium verify`")
        }
        return number
    }
}

/// Where an object's data lie: a pack's number, and the data's start in units of 64 bytes after the
/// pack's header.
///
/// Derived and rebuildable: never part of an identity.
package struct Location: Hashable, Sendable {
    package let pack: UInt32
    package let unit: UInt32

    package init(pack: UInt32, unit: UInt32) {
        self.pack = pack
        self.unit = unit
    }
}
