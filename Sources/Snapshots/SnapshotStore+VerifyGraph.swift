internal import Elements
internal import KeyValue
internal import Objects

/// The part of a verification that follows references to all that they lead to.
extension SnapshotStore {
    /// The commits that references name; each damaged reference is a fault of its own.
    func verifyReferences(
        _ known: [ObjectID: ObjectHeader], _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws(SnapshotError) -> [ObjectID] {
        var roots: [ObjectID] = []
        var found = report
        var head: Head?
        func check(_ name: String, _ id: ObjectID) {
            if known[id]?.kind == .commit {
                roots.append(id)
            } else {
                found.fault(name, "it names \(id.short), which is not a commit of this store")
            }
        }
        try transaction.scan(environment.table(Self.referenceTable)) {
            (key, value) throws(SnapshotError) in
            found.references += 1
            let name = String(decoding: key, as: UTF8.self)
            let kind = [ReferenceKind.branch, .tag].first { name.hasPrefix($0.rawValue) }
            if key == Head.key {
                head = Head(value.copy())
            } else if let kind, value.count == ObjectID.byteCount {
                let short = name.dropFirst(kind.rawValue.count)
                check("\(kind.word) \(short)", ObjectID(value.bytes))
            } else {
                found.fault("reference \(name)", "it has \(value.count) bytes, which name nothing")
            }
            return true
        }
        switch head {
        case .detached(let id): check("HEAD", id)
        case .branch: break
        case nil: found.fault("HEAD", "it is missing or damaged; run `cambium switch BRANCH`")
        }
        try transaction.scan(environment.table(Self.reflogTable)) {
            (key, value) throws(SnapshotError) in
            do throws(SnapshotError) {
                // What an old entry names may have been collected.
                let entry = try Self.decode(key, value.copy())
                if let id = entry.new, known[id]?.kind == .commit { roots.append(id) }
            } catch {
                found.fault("reflog", error.message)
            }
            return true
        }
        report = found
        return roots
    }

    /// Follows every commit to all that it names, and returns what that is.
    func verifyGraph(
        _ roots: [ObjectID], _ known: [ObjectID: ObjectHeader],
        _ report: inout VerificationReport, _ transaction: borrowing ReadTransaction
    ) throws(SnapshotError) -> Set<ObjectID> {
        // When it cannot be read, the check of the index says why.
        guard let reader = try? ObjectReader.of(transaction) else { return [] }
        var needed: Set<ObjectID> = []
        var seen: Set<ObjectID> = []
        var stack = roots
        while let id = stack.popLast() {
            guard seen.insert(id).inserted else { continue }
            report.commits += 1
            needed.insert(id)
            let commit: Commit
            let tree: Tree
            let record: TreeRecord
            do throws(SnapshotError) {
                commit = try Self.commit(id, reader, transaction)
                for parent in commit.parents {
                    if known[parent]?.kind == .commit {
                        stack.append(parent)
                    } else {
                        report.fault("commit \(id.hex)", "its parent \(parent.short) is missing")
                    }
                }
                guard seen.insert(commit.tree).inserted else { continue }
                record = try wrapped { () throws(ObjectError) in
                    try Self.treeRecord(commit.tree, reader, transaction)
                }
                tree = try Self.tree(commit.tree, reader, transaction)
            } catch {
                report.fault("commit \(id.hex)", error.message)
                continue
            }
            needed.formUnion([commit.tree, record.trunk])
            needed.formUnion(record.layers.values)
            needed.formUnion(record.files.values)
            if let layout = record.layout { needed.insert(layout) }
            let subject = "tree \(commit.tree.hex)"
            for (name, file) in sortedByKey(record.files) where known[file]?.kind != .file {
                report.fault(subject, "file \(name) (\(file.short)) is missing")
            }
            if let layout = record.layout, known[layout]?.kind != .layout {
                report.fault(subject, "its layout \(layout.short) is missing")
            }
            verifyTensors(tree.trunk.tensors, subject, known, &needed, &report)
            for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
                for (name, cohort) in sortedByKey(layer.cohorts) {
                    let place = "\(subject) layer \(number)/\(name)"
                    verifyTensors(cohort.router, place, known, &needed, &report)
                    verifyExperts(cohort, place, known, &needed, &report, transaction)
                }
            }
        }
        return needed
    }

    private func verifyTensors(
        _ tensors: [String: StoredTensor], _ subject: String, _ known: [ObjectID: ObjectHeader],
        _ needed: inout Set<ObjectID>, _ report: inout VerificationReport
    ) {
        for (name, entry) in sortedByKey(tensors) {
            needed.insert(entry.id)
            guard let header = known[entry.id] else {
                report.fault(subject, "tensor \(name) (\(entry.id.short)) is missing")
                continue
            }
            if header.kind != .tensor || header.parts != [entry.shape] {
                report.fault(subject, "tensor \(name) is \(header.parts), not \(entry.shape)")
            }
        }
    }

    private func verifyExperts(
        _ cohort: Cohort, _ subject: String, _ known: [ObjectID: ObjectHeader],
        _ needed: inout Set<ObjectID>, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        do throws(SnapshotError) {
            let view = try ArrayView(cohort.experts, transaction)
            if UInt64(view.count) != cohort.count {
                report.fault(subject, "\(view.count) experts are stored, not \(cohort.count)")
            }
            for (ordinal, entry) in view.entries().enumerated() where entry.id != .zero {
                needed.insert(entry.id)
                guard let header = known[entry.id] else {
                    report.fault(subject, "expert \(ordinal) (\(entry.id.short)) is missing")
                    continue
                }
                if header.kind != cohort.kind || header.parts != cohort.parts {
                    report.fault(subject, "expert \(ordinal) is \(header.kind) \(header.parts)")
                }
            }
        } catch {
            report.fault(subject, error.message)
        }
    }
}
