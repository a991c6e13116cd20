internal import Checkpoints
internal import Objects
internal import Snapshots

/// What merges decided, conflict by conflict.
public struct MergesFigure: Sendable, Encodable {
    /// What became of a conflict.
    public enum Outcome: String, Sendable, Encodable {
        /// One side's version.
        case side
        /// What it was before both sides.
        case base
        /// What neither side had: a policy made it, or a person.
        case new
    }

    /// One thing that sides changed differently.
    public struct Conflict: Sendable, Encodable {
        /// As `cat` and `restore` spell it: `1/17`.
        public let path: String
        /// `expert`, `router-row`, `router`, `tensor`, `file`, `pool` or `architecture`.
        public let kind: String
        /// The names of the sides that changed it.
        public let sides: [String]
        /// What the merged model has.
        public let outcome: Outcome
        /// The side whose version that is; nil for another outcome.
        public let taken: String?
    }

    /// One merge.
    public struct Merge: Sendable, Encodable {
        /// The merge commit's id.
        public let commit: String
        /// The first line of its message.
        public let subject: String
        /// Seconds since 1970-01-01 00:00 UTC.
        public let time: Int64
        /// Ids of the parents.
        public let parents: [String]
        /// What the parents were called, in their order.
        public let sides: [String]
        /// The policy that settled what was not decided one by one; `none` without one.
        public let policy: String
        /// The decisions that were named, as `--take` has them; nil without any.
        public let decisions: String?
        /// By path.
        public let conflicts: [Conflict]
    }

    /// Newest first.
    public let merges: [Merge]
    /// Older merges that were left out.
    public let leftOut: Int
}

extension Figures {
    /// What merges decided, told from the models themselves.
    ///
    /// - Parameter limit: Merges at most, the newest.
    /// - Complexity: Grows with what the sides changed.
    public func merges(limit: Int = 20) throws -> MergesFigure {
        let all = commits.filter { $0.parents.count > 1 }
        let form = CheckpointForm(store.snapshots)
        let merges = try all.prefix(limit).map { commit in
            let found = try store.snapshots.settledConflicts(
                ofMerge: try id(ofHex: commit.id), settled: form.files)
            let told = commit.metadata["merge.sides"]?.split(separator: ",").map(String.init) ?? []
            let sides =
                told.count == commit.parents.count
                ? told : commit.parents.map { String($0.prefix(12)) }
            return MergesFigure.Merge(
                commit: commit.id, subject: commit.subject, time: commit.time,
                parents: commit.parents, sides: sides,
                policy: commit.metadata["merge.policy"] ?? "none",
                decisions: commit.metadata["merge.take"],
                conflicts: found.map { MergesFigure.Conflict($0, sides) })
        }
        return MergesFigure(merges: merges, leftOut: all.count - merges.count)
    }
}

extension MergesFigure.Conflict {
    fileprivate init(_ conflict: SettledConflict, _ sides: [String]) {
        let taken: String?
        let outcome: MergesFigure.Outcome
        switch conflict.outcome {
        case .side(let side): (outcome, taken) = (.side, sides[side])
        case .base: (outcome, taken) = (.base, nil)
        case .made: (outcome, taken) = (.new, nil)
        }
        self.init(
            path: conflict.entity.path, kind: conflict.entity.kind,
            sides: conflict.sides.map { sides[$0] }, outcome: outcome, taken: taken)
    }
}
