internal import Objects

/// Names that Cambium gives to files of its own within a store.
///
/// Only what has exactly such a name is ever removed: the rest of the folder may be the user's.
enum StoreNames {
    static let lockFiles = ["use.lock", "maintenance.lock", "opening.lock"]
    /// Before the random part of a new store in the making, a folder.
    static let newStore = "init."
    /// Before the random part of a compacted copy in the making.
    static let copy = "data.mdb.repack."

    /// A name that nothing has yet: 64 random bits in 16 hexadecimal digits.
    static func random(_ prefix: String) -> String {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        return prefix + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Whether ``random(_:)`` makes such names.
    static func isRandom(_ name: String, _ prefix: String) -> Bool {
        let digits = name.utf8.dropFirst(prefix.utf8.count)
        return name.hasPrefix(prefix) && digits.count == 16
            && digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// The name of a lease: the commit, the process and a random number.
    static func lease(_ commit: ObjectID, process: Int32) -> String {
        "\(commit.hex).\(process).\(UInt64.random(in: 0 ... .max))"
    }

    /// The commit that a lease's name tells; nil when it is no name of a lease.
    static func leasedCommit(_ name: String) -> ObjectID? {
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 64 else { return nil }
        for number in parts.dropFirst() {
            guard (1...20).contains(number.count), number.allSatisfy({ (48...57).contains($0) })
            else { return nil }
        }
        return ObjectID(hex: String(name.prefix(64)))
    }
}
