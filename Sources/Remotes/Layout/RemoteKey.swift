package import Objects
package import Snapshots

/// The keys of a remote (docs/remote-format.md, "Keys").
package enum RemoteKey {
    /// Says that this is a remote, and of which format.
    package static let marker = "cambium-remote"
    package static let packs = "packs/"
    package static let indexes = "index/"
    package static let bundles = "commits/"
    package static let references = "refs/"
    package static let marks = "gc/"
    /// What was written to find out how the place behaves.
    package static let probes = "probe/"

    package static func pack(_ id: ObjectID) -> String { packs + id.hex }
    package static func index(_ id: ObjectID) -> String { indexes + id.hex }
    package static func bundle(_ id: ObjectID) -> String { bundles + id.hex }

    /// What all entries of references of a kind begin with.
    package static func references(_ kind: ReferenceKind) -> String {
        references + (kind == .tag ? "tags/" : "heads/")
    }

    /// What all entries of one reference begin with.
    package static func reference(_ kind: ReferenceKind, _ name: String) -> String {
        references(kind) + escaped(name) + "/"
    }

    package static func numbered(_ prefix: String, _ number: UInt64) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }

    /// The name and number of a reference's entry; nil for a key that is none.
    package static func entry(
        _ key: String, _ kind: ReferenceKind
    ) -> (name: String, number: UInt64)? {
        let prefix = references(kind)
        guard key.hasPrefix(prefix) else { return nil }
        let parts = key.dropFirst(prefix.count).split(
            separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let name = unescaped(parts[0]), let number = number(parts[1])
        else { return nil }
        return (name, number)
    }

    /// A number of twenty digits, below 2^53.
    package static func number(_ digits: Substring) -> UInt64? {
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        // A hostile number must not be the last that there is.
        return UInt64(digits).flatMap { $0 < 1 << 53 ? $0 : nil }
    }

    /// A name as one component of a key: other bytes than `A-Z a-z 0-9 . _ -` become `~` and two digits.
    package static func escaped(_ name: String) -> String {
        var text: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for (index, byte) in name.utf8.enumerated() {
            // A component that begins with a dot would be hidden, or lead elsewhere.
            if isPlain(byte), index > 0 || byte != UInt8(ascii: ".") {
                text.append(byte)
            } else {
                text += [UInt8(ascii: "~"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The name that a component stands for; nil for one that ``escaped(_:)`` does not make.
    package static func unescaped(_ component: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(component.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "~") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty,
            escaped(name) == component
        else { return nil }
        return name
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
