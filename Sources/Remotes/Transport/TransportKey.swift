internal import Elements

/// What a key may be, for every transport: it stays below the remote, and every server and file system takes it.
package enum TransportKey {
    /// S3's limit is 1,024 bytes, of which some are left to the prefix.
    private static let longest = 768

    /// The key's components.
    ///
    /// - Throws: `usage`.
    package static func components(of key: String) throws -> [String] {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard key.utf8.count <= longest, parts.allSatisfy(isComponent) else {
            throw CambiumError(
                .usage,
                "\(quoted(key)) cannot be a key of a remote: up to \(longest) bytes of A-Z a-z 0-9 . _ - "
                    + "~ between single slashes")
        }
        return parts
    }

    /// Whether a name may stand between slashes; those of files that are being written are left out.
    package static func isComponent(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255
            && name.utf8.allSatisfy(isPlain) && !name.hasPrefix(".cambium-")
    }

    /// Refuses a prefix that no key begins with.
    package static func check(prefix: String) throws {
        let parts = prefix.split(separator: "/", omittingEmptySubsequences: false)
        let isFine =
            parts.dropLast().allSatisfy { isComponent(String($0)) }
            && parts.last.map { $0.utf8.allSatisfy(isPlain) } ?? true
        guard isFine, prefix.utf8.count <= longest else {
            throw CambiumError(.usage, "\(quoted(prefix)) begins no key of a remote")
        }
    }

    /// The characters that no URL has to spell out (RFC 3986, "unreserved").
    package static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
