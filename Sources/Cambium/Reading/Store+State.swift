internal import KeyValue
internal import Objects
internal import Snapshots

extension Store {
    /// A number that is another after every change of the store, whoever made it; for programs that want to know
    /// whether to look again.
    ///
    /// - Complexity: O(1); reads no data.
    public func state() throws -> Int { try snapshots.environment.read { $0.state } }

    /// The commit that a name of a model means: a revision, or `REVISION@HASH` for the commit of that hash, which is in
    /// the revision's history.
    ///
    /// - Parameter name: As users write it.
    /// - Throws: `not-found`, `ambiguous`, `bad-revision`, also for a hash that is not in the history.
    public func resolve(model name: String) throws -> String {
        guard let place = name.lastIndex(of: "@") else { return try resolve(name) }
        let hash = name[name.index(after: place)...]
        guard hash.utf8.count >= 4, hash.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
            return try resolve(name)
        }
        let (head, commit) = (try id(String(name[..<place])), try id(String(hash)))
        guard try snapshots.isAncestor(commit, of: head) else {
            throw CambiumError(
                .notFound,
                "\(commit.short) is not in the history of \(name[..<place])")
        }
        return commit.hex
    }
}
