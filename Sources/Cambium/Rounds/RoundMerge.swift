internal import Elements
internal import Objects
internal import Snapshots

/// A merge of finished rounds: clone, one merge of all of them, push.
public struct RoundMerge: Sendable {
    /// Where from and where to.
    public var source: RoundSource
    /// The branch merged into.
    public var into: String
    /// The rounds' branches: names, or beginnings of names with `*` behind.
    public var branches: [String]
    /// How many branches there must be; nil for as many as are named.
    public var expected: Int?
    /// The keys of the rounds that branches must end with, by branch; others may have anything.
    public var keys: [String: String] = [:]
    /// How conflicts are settled.
    public var policy: MergePolicy = .none
    /// Of sides, by name, for the policies that have some.
    public var weights: [String: Double] = [:]
    /// The merge commit's message; nil names the sides.
    public var message: String?
    /// Whether a model may come of it that does not run as the branch's history does.
    public var allowsUnfit = false
    /// Who merges.
    public var author = Signature.current.author

    /// A merge of branches into another one.
    public init(_ source: RoundSource, into: String, branches: [String]) {
        self.source = source
        self.into = into
        self.branches = branches
    }

    /// How often another push may be faster.
    private static let mostAttempts = 20

    /// The branches that are there, sorted, or what is missing.
    ///
    /// - Throws: `usage` for no branches, or one that is `into`; `not-found`, with the names, when there are not all.
    public func present() throws -> [String] {
        let arePatterns = branches.contains { $0.hasSuffix("*") }
        let heads = try source.heads(arePatterns ? nil : branches + [into])
        guard heads.tips[into] != nil else {
            throw CambiumError(.notFound, "\(source.url) has no branch '\(into)' to merge into")
        }
        var (found, missing): (Set<String>, [String]) = ([], [])
        for name in branches {
            let matches =
                name.hasSuffix("*")
                ? heads.names.filter { $0.hasPrefix(name.dropLast()) && $0 != into }
                : heads.tips[name].map { _ in [name] } ?? []
            if matches.isEmpty { missing.append(name) }
            found.formUnion(matches)
        }
        let names = found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard !names.contains(into) else {
            throw CambiumError(.usage, "branch '\(into)' cannot be merged into itself")
        }
        let wanted = expected ?? branches.count
        guard missing.isEmpty, expected == nil || names.count == wanted else {
            let what =
                missing.isEmpty ? "" : ", without " + missing.prefix(20).joined(separator: ", ")
            throw CambiumError(
                .notFound,
                "\(source.url) has \(names.count) of \(wanted) branches\(what); nothing was merged: look at the "
                    + "rounds that did not end well")
        }
        return names
    }

    /// Seconds between two looks for branches.
    private static let pause = 5

    /// Waits until all branches are there, for so long at most.
    ///
    /// A remote that is away meanwhile is waited for as well.
    ///
    /// - Parameters:
    ///   - seconds: How long it waits at most.
    ///   - pause: Sleeps for so many seconds.
    ///   - tell: Told what is waited for, whenever that is of another kind.
    /// - Throws: As ``present()``, but for `not-found` and `network`.
    public func waitForBranches(
        seconds: Int64, pause: (Int) -> Void, tell: (String) -> Void
    ) throws {
        var last: CambiumError.Code?
        for _ in 0..<(max(0, seconds) + Int64(Self.pause) - 1) / Int64(Self.pause) {
            do {
                _ = try present()
                return
            } catch let error as CambiumError where [.notFound, .network].contains(error.code) {
                if last != error.code { tell(error.message) }
                last = error.code
            }
            pause(Self.pause)
        }
    }

    /// Merges in a store that is made for it, and pushes; begins anew when the branch moved meanwhile.
    ///
    /// The commit has the time of the newest side, and its sides are in the order of their names: so it is the same
    /// whichever round finished first.
    ///
    /// - Parameters:
    ///   - directory: The new store's; it must not exist, and is gone again when this throws.
    ///   - progress: Told what comes and what is sent.
    /// - Returns: What the merge did, with `conflicts` of kind when sides disagree and nothing settles it: then nothing
    ///   was pushed; and the head of the branch merged into.
    /// - Throws: `exists` for a directory that is there, or a branch with another round than its key's; as ``present()``; `branch-moved` when others kept pushing; `network`, `denied`, `remote`.
    public func run(
        in directory: String, progress: ProgressReporter = { _ in }
    ) throws -> (merge: MergeResult, head: String) {
        try RoundFolder.make(directory) { try fill(directory, progress) }
    }

    private func fill(
        _ directory: String, _ progress: ProgressReporter
    ) throws -> (merge: MergeResult, head: String) {
        let names = try present()
        let store = try source.clone(into, to: directory, progress)
        try source.fetch(store, names, progress)
        for name in names {
            try store.createBranch(name, at: RoundSource.revision(name))
            if let key = keys[name] { try check(name, in: store, key) }
        }
        let time = try names.map { try store.show($0).time }.max() ?? 0
        for _ in 0..<Self.mostAttempts {
            let target = try store.show(into)
            let result = try store.merge(
                names, into: into, policy: policy, weights: weights, message: message,
                allowsUnfit: allowsUnfit, Signature(author: author, time: max(time, target.time)))
            guard let commit = result.commit, commit != target.id else {
                return (result, target.id)
            }
            if try source.push(store, into, progress) != .lost { return (result, commit) }
            try source.fetch(store, [into], progress)
            _ = try store.reset(to: RoundSource.revision(into), branch: into)
        }
        throw CambiumError(
            .branchMoved,
            "branch '\(into)' on \(source.url) moved \(Self.mostAttempts) times while it was merged into; try again"
        )
    }

    private func check(_ name: String, in store: Store, _ key: String) throws {
        let head = try store.show(name)
        guard head.metadata[RoundIdentity.keyName] != key else { return }
        throw CambiumError(
            .exists,
            "branch '\(name)' on \(source.url) has something else than the round \(key.prefix(12)): "
                + "\(head.id.prefix(12)), \(quoted(head.message)); nothing was merged: remove it, and run the "
                + "round again")
    }
}
