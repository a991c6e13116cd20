package import Elements
internal import Objects
internal import Snapshots

/// What was found of a remote.
package struct RemoteVerificationReport: Sendable {
    package var branches = 0
    package var tags = 0
    package var commits = 0
    package var packs = 0
    package var bytes = 0
    package var faults: [String] = []
}

/// Looks whether all that branches and tags of a remote name is there, and what its name says.
package struct RemoteVerification: Sendable {
    private let remote: Remote

    package init(_ remote: Remote) { self.remote = remote }

    /// - Parameter readsAll: Whether packs are read and hashed, rather than listed.
    /// - Throws: `network`, `denied`; what is missing or damaged is in the report.
    package func run(
        readsAll: Bool, progress: ProgressReporter = { _ in }
    ) throws -> RemoteVerificationReport {
        var report = RemoteVerificationReport()
        var bundles: [ObjectID] = []
        var seen: Set<ObjectID> = []
        for kind in [ReferenceKind.branch, .tag] {
            for (name, number) in try remote.lastNumbers(kind).sorted(by: {
                isBefore($0.key, $1.key)
            }) {
                let tip = try found(&report) { try remote.tip(kind, name, number) }
                guard let tip, tip.entry.commit != nil else { continue }
                if kind == .branch { report.branches += 1 } else { report.tags += 1 }
                for bundle in tip.entry.bundles where seen.insert(bundle.id).inserted {
                    bundles.append(bundle.id)
                }
            }
        }
        var packs: [ObjectID: CommitBundle.PackName] = [:]
        for (index, id) in bundles.enumerated() {
            try progress(Progress("commits", index, bundles.count))
            guard let bundle = try found(&report, { try remote.bundle(id) }) else { continue }
            report.commits += bundle.commits.count
            for pack in bundle.packs { packs[pack.id] = pack }
        }
        try check(packs.values.sorted { $0.id < $1.id }, readsAll, &report, progress)
        return report
    }

    private func check(
        _ packs: [CommitBundle.PackName], _ readsAll: Bool,
        _ report: inout RemoteVerificationReport, _ progress: ProgressReporter
    ) throws {
        report.packs = packs.count
        report.bytes = packs.reduce(0) { $0 + $1.count }
        let present = Dictionary(
            try remote.list(RemoteKey.packs).entries.map { ($0.key, $0.size) },
            uniquingKeysWith: { $1 })
        let remote = remote
        var faults: [String] = []
        try orderedWork(packs.count, width: remote.jobs) { index -> [String] in
            let pack = packs[index]
            let key = RemoteKey.pack(pack.id)
            guard let size = present[key] else { return ["\(key) is missing"] }
            guard size == pack.count else {
                return ["\(key) has \(size) bytes instead of \(pack.count)"]
            }
            var faults: [String] = []
            do {
                let index = try remote.index(pack)
                if readsAll { try remote.checkPack(pack, index.digest) }
            } catch let error as CambiumError where error.code == .corrupt {
                faults.append(error.message)
            }
            return faults
        } _: { index, found in
            faults += found
            try progress(Progress("packs", index + 1, packs.count))
        }
        report.faults += faults
    }

    /// What `body` gives, or nil after noting that it is damaged or missing.
    private func found<Value>(
        _ report: inout RemoteVerificationReport, _ body: () throws -> Value
    ) throws -> Value? {
        do {
            return try body()
        } catch let error as CambiumError where error.code == .corrupt {
            report.faults.append(error.message)
            return nil
        }
    }
}

extension Remote {
    /// Hashes a pack piece by piece, and compares with what its index says.
    fileprivate func checkPack(_ pack: CommitBundle.PackName, _ wanted: ObjectID) throws {
        let key = RemoteKey.pack(pack.id)
        let digest = try ObjectID(
            hashing: [],
            parts: { read in
                for start in stride(from: 0, to: pack.count, by: Download.greatestRead) {
                    let end = min(start + Download.greatestRead, pack.count)
                    let bytes = try existing(key, start..<end, limit: end - start)
                    read(bytes.bytes)
                }
            })
        guard digest == wanted else {
            throw CambiumError(
                .corrupt,
                "\(key) of \(transport.url) is not what its index says: it was damaged there")
        }
    }
}
