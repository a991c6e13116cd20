internal import Cambium

extension Store {
    /// A revision that is a branch, to which evidence or what is solved from it can be committed; nil for HEAD's.
    func knownBranch(_ name: String) throws -> String? {
        if name == "HEAD" { return nil }
        guard try !branches().contains(where: { $0.name == name }) else { return name }
        let commit = try? resolve(name)
        throw Failure(
            commit == nil ? .notFound : .usage,
            commit == nil
                ? "there is no branch '\(name)'"
                : "'\(name)' names a commit and no branch, and this makes a commit behind it",
            hint:
                "make a branch, `cambium branch NEW \(commit == nil ? "HEAD" : name)`, and give its name; "
                + "`cambium branch` lists the branches")
    }
}
