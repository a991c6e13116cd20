internal import Elements

/// How the tensors of an adapter are named: `cohorts.NAME.TENSOR`, and `cohorts.NAME.cohort`, which says what it is.
package enum AdapterTensorName {
    /// What the names of all adapters' tensors begin with.
    package static let prefix = "cohorts."
    private static let suffix = ".cohort"

    /// Refuses what cannot name an adapter.
    ///
    /// - Throws: `usage`.
    package static func check(_ name: String, _ what: String = "an adapter") throws {
        guard name != "base", !name.isEmpty, name.utf8.count <= 100,
            name.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") })
        else {
            throw CambiumError(
                .usage,
                "'\(name)' cannot name \(what); give 1 to 100 visible ASCII characters without '/', not "
                    + "'base'")
        }
    }

    /// What the names of one adapter's tensors begin with.
    package static func prefix(of adapter: String) -> String { "\(prefix)\(adapter)." }

    /// The tensor that describes an adapter.
    package static func description(of adapter: String) -> String { prefix + adapter + suffix }

    /// The adapter that a tensor describes, or nil when it describes none.
    package static func adapter(describedBy tensor: String) -> String? {
        guard tensor.hasPrefix(prefix), tensor.hasSuffix(suffix),
            tensor.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        return String(tensor.dropFirst(prefix.count).dropLast(suffix.count))
    }

    /// Whether pools beside the base's are adapters' in a model of an architecture; in any other they came with the
    /// checkpoint, but for those of alternatives.
    package static func ownsPools(of architecture: String) -> Bool {
        architecture == Architecture.peerLM.name
    }

    /// Whether a pool beside the base's is an adapter's.
    ///
    /// - Parameter described: The names of the adapters that the trunk describes.
    package static func ownsPool(
        _ pool: String, in architecture: String, described: some Collection<String>
    ) -> Bool { ownsPools(of: architecture) || described.contains(pool) }

    /// The adapter, of some, that a tensor belongs to: their names may have dots, and the longest that fits is meant.
    package static func adapter(of tensor: String, among names: some Sequence<String>) -> String? {
        names.filter { tensor.hasPrefix("\(prefix)\($0).") }
            .max { $0.utf8.count < $1.utf8.count }
    }
}
