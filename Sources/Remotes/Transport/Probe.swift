internal import Elements

/// Tries on scratch keys, which are removed again, whether a place does what a remote needs.
///
/// Some servers that speak S3 take conditions and ignore them in silence, so that of two pushes one would undo the
/// other; only writing shows which.
package struct Probe {
    private let remote: any Transport
    private let isSingleWriter: Bool
    private let folder = "probe/" + String(UInt64.random(in: .min ... .max), radix: 16)

    private static let racers = 8

    /// - Parameter isSingleWriter: Whether the user promised that nobody else writes there: then creators do not race.
    package init(_ remote: any Transport, isSingleWriter: Bool = false) {
        self.remote = remote
        self.isSingleWriter = isSingleWriter
    }

    /// - Throws: `remote` for a place that does otherwise, with what it did; what its calls throw.
    package func run() throws {
        let keys = ["\(folder)-one", "\(folder)-race"]
        do {
            try tryCreating(keys[0])
            if !isSingleWriter { try tryRacing(keys[1]) }
            try tryReading(keys[0])
        } catch {
            for key in keys { try? remote.delete(key) }
            throw error
        }
        for key in keys { try remote.delete(key) }
        guard try read(keys[0]) == nil else { throw fault("has a key that was removed") }
    }

    private func tryCreating(_ key: String) throws {
        let bodies = ["the first of two", "the second, which must not be stored"]
        // When its first answer was lost it meets itself.
        let isNew = try create(key, bodies[0])
        guard try isNew || read(key) == bodies[0] else {
            throw fault("says that a new key was there before")
        }
        let isAgain = try create(key, bodies[1])
        let found = try read(key)
        guard !isAgain, found == bodies[0] else {
            throw unsafeForMany(
                found == bodies[1]
                    ? "replaced a key although it was told to create it only if it is new"
                    : "created a key twice")
        }
    }

    private func tryRacing(_ key: String) throws {
        let racers = (0..<Self.racers).map { number in
            Background { [self] in Swift::Result { try create(key, "racer \(number)") } }
        }
        let won = try racers.map { $0.wait() }.map { try $0.get() }
        let winners = won.indices.filter { won[$0] }
        let found = try read(key)
        // A winner whose answer was lost is told by the bytes.
        let isOne = winners.isEmpty || (winners.count == 1 && found == "racer \(winners[0])")
        guard isOne, found?.hasPrefix("racer ") ?? false else {
            throw unsafeForMany(
                "told \(winners.count) of \(Self.racers) that created a key at the same time that each of "
                    + "them did")
        }
    }

    private func tryReading(_ key: String) throws {
        let range = 4..<9
        guard let part = try remote.read(key, range, limit: range.count)?.copy(),
            String(decoding: part, as: UTF8.self) == "first"
        else { throw fault("gives other bytes than those of the range that was asked for") }
        guard try remote.list(key, after: nil).entries.map(\.key) == [key] else {
            throw fault("does not list a key that was just written")
        }
    }

    private func create(_ key: String, _ text: String) throws -> Bool {
        try remote.create(key, TransportBody(Array(text.utf8)))
    }

    private func read(_ key: String) throws -> String? {
        try remote.read(key, nil, limit: 1 << 10).map { String(decoding: $0.copy(), as: UTF8.self) }
    }

    private func fault(_ what: String) -> CambiumError {
        CambiumError(.remote, "\(remote.url) \(what), so it cannot be a remote")
    }

    private func unsafeForMany(_ what: String) -> CambiumError {
        CambiumError(
            .remote,
            "\(remote.url) \(what): of two pushes at the same time one would undo the other. Use a server "
                + "that keeps to If-None-Match (AWS S3, Ceph, SeaweedFS and others do), or say "
                + "--single-writer if nobody else ever pushes there")
    }
}
