internal import Elements
internal import Models
internal import Objects
internal import Snapshots

extension MappedSnapshot {
    /// How counts predict beside the snapshot's models; nil where they do not.
    func mixture() throws -> MixtureDescription? {
        guard let file = tree.files[MixtureDescription.fileName] else { return nil }
        let bytes = try data(of: file)
        return try MixtureDescription(bytes)
    }
}

extension TrainOptions {
    /// How counts predict beside the models after a round.
    ///
    /// - Parameters:
    ///   - before: How they did on the branch.
    ///   - isStandard: Whether they do when nothing is asked for.
    /// - Throws: `usage` when they do and shall not: models were evaluated, and texts counted, as if they stayed.
    func mixture(
        after before: MixtureDescription?, isStandard: Bool
    ) throws -> MixtureDescription? {
        guard let before else {
            return mixesCounts ?? isStandard ? MixtureDescription() : nil
        }
        guard mixesCounts != false else {
            throw CambiumError(
                .usage,
                "counts predict beside the models of this branch, and stay: leave that option out, or start "
                    + "a base without them")
        }
        return before
    }
}

extension CommitDraft {
    /// Lets counts predict beside the models from this commit on.
    mutating func put(_ mixture: MixtureDescription) throws {
        tree.files[MixtureDescription.fileName] = try put(.file, mixture.encoded)
    }
}
