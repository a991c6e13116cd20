internal import Elements
internal import KeyValue
internal import Objects

/// The part of a verification that follows references to all that they lead to.
extension SnapshotStore {
    /// The commits that references name; each damaged reference is a fault of its own.
    func verifyReferences(
        _ known: VerifiedObjects, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws -> [ObjectID] {
        var named: [(name: String, id: ObjectID)] = []
        var logged: [ObjectID] = []
        var found = report
        var head: Head?
        let references = environment.table(Self.referenceTable)
        try transaction.scan(references) { key, value in
            found.references += 1
            let name = String(decoding: key, as: UTF8.self)
            let kind = [ReferenceKind.branch, .tag, .remote].first { name.hasPrefix($0.rawValue) }
            let bytes = CheckedValue.open(value, references, key)
            if key == Head.key {
                head = bytes.flatMap(Head.init)
            } else if let kind, let bytes, bytes.count == ObjectID.byteCount {
                let short = name.dropFirst(kind.rawValue.count)
                named.append(("\(kind.word) \(short)", ObjectID(bytes.raw)))
            } else if let bytes {
                found.fault("reference \(name)", "it has \(bytes.count) bytes, which name nothing")
            } else {
                found.fault(
                    "reference \(name)",
                    "its name or value does not match the checksum: damaged on disk")
            }
            return true
        }
        switch head {
        case .detached(let id): named.append(("HEAD", id))
        case .branch: break
        case nil: found.fault("HEAD", "it is missing or damaged; run `cambium switch BRANCH`")
        }
        let reflog = environment.table(Self.reflogTable)
        try transaction.scan(reflog) { key, value in
            do {
                let entry = try Self.decode(key, value, reflog)
                if let id = entry.new { logged.append(id) }
            } catch {
                found.fault("reflog", "\(error)")
            }
            return true
        }
        report = found
        var roots: [ObjectID] = []
        for (name, id) in named {
            if known.kind(id, transaction) == .commit {
                roots.append(id)
            } else {
                report.fault(name, "it names \(id.short), which is not a commit of this store")
            }
        }
        // What an old entry of the reflog names may have been collected.
        for id in logged where known.isIndexed(id, transaction) {
            if known.kind(id, transaction) == .commit { roots.append(id) }
        }
        return roots
    }

    /// Follows every commit to all that it names, and returns the pools by their arrays.
    func verifyGraph(
        _ roots: [ObjectID], _ known: VerifiedObjects, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws -> [ObjectID: ExpertPool] {
        // When it cannot be read, the check of the index says why.
        guard let reader = try? ObjectReader(transaction) else { return [:] }
        var pools: [ObjectID: ExpertPool] = [:]
        var seen: Set<ObjectID> = []
        var stack = roots
        while let id = stack.popLast() {
            guard seen.insert(id).inserted else { continue }
            report.commits += 1
            do {
                if case .unindexed = known.find(id, transaction) {
                    report.fault("commit \(id.hex)", unindexed)
                    continue
                }
                let commit = try Self.commit(id, reader, transaction)
                for parent in commit.parents {
                    if known.kind(parent, transaction) == .commit {
                        stack.append(parent)
                    } else {
                        report.fault("commit \(id.hex)", "its parent \(parent.short) is missing")
                    }
                }
                guard seen.insert(commit.tree).inserted else { continue }
                let record = try Self.treeRecord(commit.tree, reader, transaction)
                let tree = try Self.tree(commit.tree, reader, transaction)
                let subject = "tree \(commit.tree.hex)"
                for (name, file) in sortedByKey(record.files) {
                    verify(file, .file, "file \(name)", subject, known, &report, transaction)
                    if name.hasPrefix(Tree.evidencePrefix), name != Tree.evidencePrefix + file.hex {
                        report.fault(
                            subject, "file \(name) holds \(file.short): evidence has its own name")
                    }
                }
                if let layout = record.layout {
                    verify(layout, .layout, "its layout", subject, known, &report, transaction)
                }
                verifyNames(record, reader, subject, &report, transaction)
                verifyTensors(tree.trunk.tensors, subject, known, &seen, &report, transaction)
                for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
                    for (name, pool) in sortedByKey(layer.pools) {
                        let place = "\(subject) layer \(number)/\(name)"
                        verifyTensors(pool.router, place, known, &seen, &report, transaction)
                        pools[pool.experts] = pool
                        verifyCount(pool, place, &report, transaction)
                    }
                }
            } catch {
                report.fault("commit \(id.hex)", "\(error)")
            }
        }
        return pools
    }

    /// Names that an export refuses.
    private func verifyNames(
        _ record: TreeRecord, _ reader: ObjectReader, _ subject: String,
        _ report: inout VerificationReport, _ transaction: borrowing ReadTransaction
    ) {
        let layout = record.layout.flatMap { id -> Layout? in
            // A layout that is missing or damaged is a fault of its own.
            let bytes = try? reader.data(id, transaction).1
            return bytes.flatMap { try? Layout(decoding: $0) }
        }
        let files = record.files.keys.sorted(by: isBefore)
        for problem in Tree.fileNameProblems(files: files, layout) {
            report.fault(subject, problem)
        }
    }

    private var unindexed: String { "it is in a pack but not in the location index" }

    private func verify(
        _ id: ObjectID, _ kind: ObjectKind, _ name: String, _ subject: String,
        _ known: VerifiedObjects, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        switch known.find(id, transaction) {
        case .object(let header) where header.kind == kind: break
        case .object(let header): report.fault(subject, "\(name) (\(id.short)) is a \(header.kind)")
        case .unindexed: report.fault("object \(id.hex)", unindexed)
        case .missing: report.fault(subject, "\(name) (\(id.short)) is missing")
        }
    }

    private func verifyTensors(
        _ tensors: [String: StoredTensor], _ subject: String, _ known: VerifiedObjects,
        _ seen: inout Set<ObjectID>, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        for (name, entry) in sortedByKey(tensors) where seen.insert(entry.id).inserted {
            let found = known.find(entry.id, transaction)
            if let header = found.header, header.kind == .tensor, header.parts != [entry.shape] {
                report.fault(subject, "tensor \(name) is \(header.parts), not \(entry.shape)")
                continue
            }
            verify(entry.id, .tensor, "tensor \(name)", subject, known, &report, transaction)
        }
    }

    private func verifyCount(
        _ pool: ExpertPool, _ subject: String, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        do {
            let view = try ArrayView(pool.experts, transaction)
            if !pool.holds(arrayCount: view.count) {
                report.fault(subject, "\(view.count) experts are stored, not \(pool.count)")
            }
        } catch {
            report.fault(subject, "\(error)")
        }
    }
}
