internal import Elements

/// A page of a list, as the server gave it (ListObjectsV2).
struct S3Page {
    /// By whole keys, in the server's order: SeaweedFS, for one, goes through folders, where `a/` comes before `a-b/`.
    let entries: [TransportEntry]
    let isTruncated: Bool

    /// - Parameter after: The key that the list was to begin behind.
    /// - Throws: `network` for what no server should answer, such as keys that would come again and again.
    init(_ bytes: [UInt8], after: String?) throws {
        func fault(_ what: String) -> CambiumError {
            CambiumError(.network, "the server's list \(what)")
        }
        let root = try XMLReader.document(bytes)
        guard root.name == "ListBucketResult" else { throw fault("is a \(quoted(root.name))") }
        let isEncoded = root.text(of: "EncodingType") == "url"
        entries = try root.children.filter { $0.name == "Contents" }.map { item in
            guard let spelled = item.text(of: "Key"),
                let key = isEncoded ? Self.decoded(spelled) : spelled,
                let size = item.text(of: "Size").flatMap({ Int($0) }), size >= 0,
                let modified = item.text(of: "LastModified").flatMap(ServerTime.internet)
            else { throw fault("has an entry without a key, a size or a time") }
            return TransportEntry(key: key, size: size, modified: modified)
        }
        guard let truncated = root.text(of: "IsTruncated"), ["true", "false"].contains(truncated)
        else { throw fault("does not say whether it is whole") }
        isTruncated = truncated == "true"
        guard !entries.contains(where: { $0.key == after }) else {
            throw fault("begins again at \(quoted(after ?? ""))")
        }
        guard !isTruncated || !entries.isEmpty else {
            throw fault("is cut off before its first key")
        }
    }

    /// What `encoding-type=url` spelled; nil when it is no such spelling.
    static func decoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(32)
            case UInt8(ascii: "%"):
                guard rest.count >= 2,
                    let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
