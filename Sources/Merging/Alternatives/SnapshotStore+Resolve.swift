internal import Architectures
internal import Elements
internal import Evidence
internal import Models
package import Objects
package import Snapshots

/// What becomes of a model's alternatives.
package enum AlternativesChoice: Sendable {
    /// One of them, by its name; `base` for the model that they are alternatives to.
    case one(String)
    /// All of them, merged by a policy that needs nothing but their weights.
    case merged(PolicyKind, PolicyNumbers)
}

extension SnapshotStore {
    /// Makes one model of a branch's alternatives, and commits it; what was counted of their texts is the base's then.
    ///
    /// - Parameters:
    ///   - branch: Nil for the one that HEAD is on.
    ///   - message: Nil to name what was chosen.
    ///   - signature: Who resolves, and when.
    ///   - form: Settles the layout.
    ///   - check: Refuses a model by throwing, given it, the branch's model and the branch.
    /// - Throws: `usage` for a policy that needs the sides' own commits; `not-found` for a branch without alternatives,
    ///   and for a name that is none of them. Then nothing is written.
    package func resolve(
        _ choice: AlternativesChoice, branch: String?, message: String?,
        signature: (time: Int64, author: String), form: any MergeForm,
        check: (_ resolved: Tree, _ before: Tree, _ branch: String) throws -> Void
    ) throws -> MergeReport {
        if let message { try Commit.check(message: message) }
        let references = try references()
        let target = try references.branch(branch)
        guard let head = references.branches[target] else {
            throw CambiumError(.notFound, "there is no branch '\(target)'")
        }
        let before = try tree(commit(head).tree)
        let alternatives = try alternatives(of: before)
        let others = StoredAdapters.names(before).filter { name in
            !alternatives.contains { $0.name == name }
        }
        guard others.isEmpty || alternatives.isEmpty else {
            throw CambiumError(
                .unsupported,
                "adapter '\(others.sorted(by: isBefore)[0])' was made for the base, which would change; forget it first"
            )
        }
        let names = alternatives.map(\.name)
        guard !names.isEmpty else {
            throw CambiumError(
                .notFound, "the model on branch '\(target)' has no alternatives to choose among")
        }
        let base = before.alternative(nil)
        var note = CommitNote(
            time: signature.time, author: signature.author, message: message ?? "")
        note.metadata["merge.sides"] = names.joined(separator: ",")
        let chosen: [(name: String, layers: [Int], added: Int)]
        var policy: (any ConflictPolicy)?
        switch choice {
        case .one(let name):
            guard name == ExpertPool.base || names.contains(name) else {
                throw CambiumError(
                    .notFound,
                    "'\(name)' is none of the alternatives on branch '\(target)': base, "
                        + names.joined(separator: ", "))
            }
            chosen = alternatives.filter { $0.name == name }
            note.metadata["merge.take"] = name
            if note.message.isEmpty { note.message = "resolve: take \(name)" }
        case .merged(let kind, let numbers):
            guard [.none, .mean, .ties, .task].contains(kind) else {
                throw CambiumError(
                    .usage,
                    "alternatives are resolved by mean, ties or task, or by taking one; for \(kind.rawValue) merge the "
                        + "branches that they came from again, from the commit before")
            }
            if let grown = alternatives.first(where: { $0.added > 0 }) {
                throw CambiumError(
                    .unsupported,
                    "alternative '\(grown.name)' has more experts than the base, so no policy makes one model of both; "
                        + "take one (--take NAME), or forget it")
            }
            chosen = alternatives
            policy = try PolicyMaker(
                store: self, numbers: numbers, sides: [],
                weights: [Double](repeating: 1, count: alternatives.count)
            ).make(kind)
            note.metadata.merge(kind.recorded(numbers)) { $1 }
            if note.message.isEmpty { note.message = "resolve: \(kind.rawValue)" }
        }
        var sides = chosen.map { before.alternative($0.name, layers: $0.layers) }
        // One alone is merged with the base, which it is not in conflict with.
        while sides.count < 2 { sides.append(base) }
        policy = policy.map { WholeCodesPolicy.keeping($0, sides) }
        var (files, records) = try files(of: before, taking: chosen.map(\.name), among: names)
        for index in sides.indices { sides[index].files = files }
        if let own = chosen.first, own.added > 0, let id = files["config.json"] {
            let config = try Architecture.config(data(of: id).1, adding: own.added)
            let edited = try ObjectID(ofFile: config)
            sides[0].files["config.json"] = edited
            records[edited] = config
        }
        let outcome = try settle(
            sides, over: base, on: target, policy: policy, note: note,
            form: WholeCodesForm(
                inner: ResolvedForm(form: form, records: records), store: self)
        ) { try check($0, before, target) }
        return try MergeReport(outcome, target, chosen.map(\.name), self)
    }

    /// The files of a model that some alternatives become: their counts are the base's, and those of the others go.
    ///
    /// - Returns: The bytes of records that are in no store, by their ids.
    package func files(
        of tree: Tree, taking chosen: [String]
    ) throws -> (files: [String: ObjectID], records: [ObjectID: [UInt8]]) {
        try files(of: tree, taking: chosen, among: alternatives(of: tree).map(\.name))
    }

    private func files(
        of tree: Tree, taking chosen: [String], among names: [String]
    ) throws -> (files: [String: ObjectID], records: [ObjectID: [UInt8]]) {
        var (files, records): ([String: ObjectID], [ObjectID: [UInt8]]) = (tree.files, [:])
        for id in EvidenceName.records(tree) {
            for name in names {
                guard
                    let record = try AlternativeSides.counts(
                        id, of: name, as: ExpertPool.base, self)
                else { continue }
                files[EvidenceName.name(id)] = nil
                guard chosen.contains(name) else { continue }
                files[EvidenceName.name(record.id)] = record.id
                records[record.id] = record.bytes
            }
        }
        return (files, records)
    }
}

/// Puts records of evidence before the form is settled.
private struct ResolvedForm: MergeForm {
    let form: any MergeForm
    let records: [ObjectID: [UInt8]]

    var files: Set<String> { form.files }

    func settle(
        _ trees: MergeTrees, _ draft: inout CommitDraft
    ) throws -> [String: String] {
        for (_, bytes) in records.sorted(by: { $0.key < $1.key }) {
            _ = try draft.put(.file, bytes)
        }
        return try form.settle(trees, &draft)
    }
}
