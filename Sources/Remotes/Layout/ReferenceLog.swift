internal import Elements
internal import Objects
package import Snapshots

/// Where a remote's branch or tag is.
package struct ReferenceTip: Sendable {
    package let kind: ReferenceKind
    package let name: String
    package let number: UInt64
    package let entry: ReferenceEntry

    var key: String { RemoteKey.numbered(RemoteKey.reference(kind, name), number) }
}

/// References of a remote: each a log of numbered entries, of which the last one counts.
///
/// Entries are only created, never written again, so a create that must not find the key is all that is needed for
/// one winner among many.
extension Remote {
    /// The newest entry of one reference; nil when there is none, or the reference was removed.
    package func tip(_ kind: ReferenceKind, _ name: String) throws -> ReferenceTip? {
        guard let number = try numbers(kind, name).last else { return nil }
        return try tip(kind, name, number)
    }

    /// The numbers of a reference's entries, ascending.
    func numbers(_ kind: ReferenceKind, _ name: String) throws -> [UInt64] {
        let prefix = RemoteKey.reference(kind, name)
        return try list(prefix).entries.compactMap {
            RemoteKey.number($0.key.dropFirst(prefix.count))
        }
    }

    /// One entry; nil when it is not there.
    func entry(
        _ kind: ReferenceKind, _ name: String, _ number: UInt64
    ) throws -> ReferenceTip? {
        let key = RemoteKey.numbered(RemoteKey.reference(kind, name), number)
        guard let bytes = try transport.read(key, nil, limit: ReferenceEntry.greatestSize) else {
            return nil
        }
        return ReferenceTip(
            kind: kind, name: name, number: number,
            entry: try ReferenceEntry(decoding: bytes.copy(), key))
    }

    func tip(_ kind: ReferenceKind, _ name: String, _ number: UInt64) throws -> ReferenceTip {
        guard let tip = try entry(kind, name, number) else {
            throw missing(RemoteKey.numbered(RemoteKey.reference(kind, name), number))
        }
        return tip
    }

    /// The last number of every reference of a kind, by name, those that were removed among them.
    package func lastNumbers(_ kind: ReferenceKind) throws -> [String: UInt64] {
        var last: [String: UInt64] = [:]
        // Two spellings of one name (an accent composed or not) are one name to a store; here each has its log.
        var components: [String: String] = [:]
        for item in try list(RemoteKey.references(kind)).entries {
            guard let (name, number) = RemoteKey.entry(item.key, kind) else { continue }
            let component = RemoteKey.escaped(name)
            // The first that is listed counts.
            guard components[name, default: component] == component else { continue }
            components[name] = component
            last[name] = max(last[name] ?? 0, number)
        }
        return last
    }

    /// Where references of a kind are; those that were removed are left out.
    ///
    /// - Parameter names: Nil for all.
    package func tips(_ kind: ReferenceKind, _ names: [String]? = nil) throws -> [ReferenceTip] {
        let found: [(String, UInt64)]
        if let names, names.count <= 2 {
            found = try names.flatMap { name in
                try numbers(kind, name).suffix(1).map { (name, $0) }
            }
        } else {
            let wanted = names.map(Set.init)
            found = try lastNumbers(kind).filter { wanted?.contains($0.key) ?? true }
                .map { ($0.key, $0.value) }.sorted { isBefore($0.0, $1.0) }
        }
        return try parallelMap(found.count, width: jobs) { [self] index in
            try tip(kind, found[index].0, found[index].1)
        }.filter { $0.entry.commit != nil }
    }

    /// Appends an entry to a reference's log.
    ///
    /// - Parameter last: The number of the last entry that was seen; 0 for none.
    /// - Throws: `branch-moved` when there is an entry behind it already. After `network` it is not known whether the
    ///   entry is there.
    func append(
        _ kind: ReferenceKind, _ name: String, after last: UInt64, _ entry: ReferenceEntry
    ) throws {
        let key = RemoteKey.numbered(RemoteKey.reference(kind, name), last + 1)
        let body = TransportBody(entry.encoded)
        guard body.count <= ReferenceEntry.greatestSize else {
            throw CambiumError(
                .tooLarge,
                "the \(kind.word) '\(name)' would name \(entry.bundles.count) bundles, more than an entry may: "
                    + "merge fewer branches at a time, and push in between")
        }
        var failure: (any Error)?
        do {
            if try transport.create(key, body) { return }
        } catch let error as CambiumError where error.code == .network {
            failure = error
        }
        // An answer may have been lost, and the attempt repeated: whose entry it is, it says itself.
        guard let found = try transport.read(key, nil, limit: ReferenceEntry.greatestSize) else {
            if let failure { throw failure }
            throw CambiumError(
                .remote,
                "\(transport.url) says that \(key) is there and does not give it; run `cambium remote check`"
            )
        }
        if (try? ReferenceEntry(decoding: found.copy(), key))?.write == entry.write { return }
        throw CambiumError(
            .branchMoved,
            "the \(kind.word) '\(name)' of \(transport.url) moved meanwhile; fetch it, merge, and push again"
        )
    }
}
