package import Architectures
package import Elements
internal import Models
package import Objects
package import Snapshots

/// What quantising a model made of it.
package struct QuantizedModel: Sendable {
    package let model: CommittedModel
    /// The commit that it was made from.
    package let from: ObjectID
    /// The forms that the model has now.
    package let forms: BlockForms
    /// What became codes.
    package let experts: Int
    package let matrices: Int
    /// Bytes of that, before and after.
    package let before: Int
    package let after: Int
    /// What was asked for and stays as it is, and why.
    package let left: [String]
    /// Blocks that are not 0 alone and whose scale is below the numbers of F16 that have all their bits.
    package let coarse: Int
}

extension SnapshotStore {
    /// What a commit says that quantised a model: the commit that it was made from, and what of it is in which form.
    package static let quantizedFromKey = "quantize.from"
    package static let quantizedKey = "quantize.forms"
    package static let quantizedLeftKey = "quantize.left"

    /// Commits a model with experts, dense matrices, routers or embeddings in blocks of codes (``BlockForm``).
    ///
    /// - Parameters:
    ///   - revision: The model; the request's branch must be there, or begins there.
    ///   - forms: Of the parts that become codes; nil for those that stay.
    ///   - measuring: Called with the commit that the model is made from, when all is checked and before anything is made.
    /// - Throws: `.unsupported` for models that are codes already or do not run by rows, for weights without codes, and
    ///   when nothing became codes; `.usage` for no form; `.branchMoved`.
    package func quantize(
        _ revision: String, _ forms: BlockForms, _ request: CommitRequest,
        progress: ProgressReporter, measuring: (ObjectID) throws -> Void = { _ in }
    ) throws -> QuantizedModel {
        guard forms != BlockForms() else {
            throw CambiumError(
                .usage,
                "name what becomes codes: experts, dense, routers or embeddings")
        }
        var noted = request
        // Once: the branch may move while the model is measured.
        let start = try resolve(revision)
        noted.start = start
        noted.expectedParent = start.hex
        let target = try CommitTarget(noted, self)
        let (parent, before) = try target.model()
        let snapshot = try map(parent)
        let description = try snapshot.modelDescription()
        let own = BlockForms(description.coded).stored(in: before)
        try Self.check(description, own, forms, revision)
        if let name = try StoredAdapters(snapshot).alternatives.first {
            throw CambiumError(
                .unsupported,
                "'\(name)' is an alternative to the model, which would change; settle the alternatives first (cambium "
                    + "resolve), or forget them")
        }
        let model = try LanguageModel(description, source: SnapshotWeights(snapshot))
        // What is refused is not measured for minutes first.
        if BlockQuantisation.isPossible(forms, description, model) { try measuring(parent) }
        var work = try BlockQuantisation(
            CommitDraft(self, tree: before), snapshot, own)
        if let form = forms.experts {
            try work.quantise(expertsOf: description, form, progress)
        }
        if let form = forms.dense { try work.quantise(denseOf: model, form, progress) }
        if let form = forms.routers { try work.quantise(routersOf: model, form, progress) }
        if let form = forms.embedding { try work.quantise(embeddingOf: model, form, progress) }
        guard work.experts + work.matrices > 0 else {
            throw CambiumError(
                .unsupported,
                "nothing of \(revision) can become codes: \(work.left.joined(separator: "; "))")
        }
        try work.finish()
        noted.note.metadata[Self.quantizedFromKey] = parent.hex
        noted.note.metadata[Self.quantizedKey] = forms.kept(by: work.forms).words
        if !work.left.isEmpty {
            noted.note.metadata[Self.quantizedLeftKey] = try recordedText(work.left)
        }
        let (now, experts, matrices) = (work.forms, work.experts, work.matrices)
        let (bytes, left, layout) = ((work.before, work.after), work.left, work.layout)
        let coarse = work.coarse
        return QuantizedModel(
            model: try target.commit(
                fitting: work.draft, noted, layout: layout, newExperts: experts),
            from: parent, forms: now, experts: experts, matrices: matrices, before: bytes.0,
            after: bytes.1, left: left, coarse: coarse)
    }

    /// What a model was before some of its weights became codes, as the commits say that led to it, each the first parent
    /// of the one before; the latest first.
    ///
    /// - Complexity: Reads commits only of a model in blocks of codes, up to the one that was quantised last of all.
    package func quantizations(
        of snapshot: MappedSnapshot
    ) throws -> [(from: ObjectID, forms: String)] {
        guard let coded = try? snapshot.modelDescription().coded,
            case let own = BlockForms(coded).stored(in: snapshot.tree), own != BlockForms()
        else { return [] }
        var found: [(from: ObjectID, forms: String)] = []
        var left = Set(own.all.filter { $0.form != nil }.map(\.part))
        var next: ObjectID? = snapshot.id
        // History may be cut off, as of a shallow clone.
        while !left.isEmpty, let id = next, let commit = try? commit(id) {
            next = commit.parents.first
            guard let from = commit.metadata[Self.quantizedFromKey].flatMap(ObjectID.init(hex:)),
                let forms = commit.metadata[Self.quantizedKey]
            else { continue }
            found.append((from, forms))
            left = left.filter { !forms.contains($0) }
        }
        return found
    }

    /// Refuses models that have no floats by rows in the parts that are to become codes.
    private static func check(
        _ description: ModelDescription, _ own: BlockForms, _ forms: BlockForms,
        _ revision: String
    ) throws {
        guard description.matrixForm == .rows else {
            throw CambiumError(
                .unsupported,
                "\(revision) is a model of type '\(description.architecture)', whose experts are neurons or rows; "
                    + "`cambium quantize-router` and `cambium rows quantize` make these smaller")
        }
        guard forms.routers != .q4 else {
            throw CambiumError(.usage, "routers become q8, not q4")
        }
        guard let coded = description.coded.any else { return }
        guard coded.method == CodedWeights.ownMethod else {
            throw CambiumError(
                .unsupported,
                "the weights of \(revision) are kept as codes (\(coded.method)) already, which are not quantised again"
            )
        }
        for (part, new) in zip(own.all, forms.all) where new.form != nil {
            guard let form = part.form else { continue }
            throw CambiumError(
                .unsupported,
                "the \(part.part) of \(revision) are \(form.rawValue) already; quantise the model as it was before (cambium "
                    + "log)")
        }
    }
}
