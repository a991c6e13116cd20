internal import ArgumentParser

/// The page `cambium help revisions`.
struct RevisionsTopic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revisions",
        abstract: "How to name a commit.",
        usage: "",
        discussion: text,
        shouldDisplay: false)

    private static let text = """
        main         a branch or a tag
        heads/main   the branch, tags/v1 the tag, where a name alone could be another
        HEAD         where commits go now
        3fa9c01b     the first digits of a commit's id, four or more
        main~2       two commits back, along first parents
        main^2       the second parent of a merge
        main@{1}     where main was before its last move

        Inside a model:

        main:1       layer 1
        main:1/17    expert 17 of layer 1 (of its base pool)
        main:1/c/17  expert 17 of pool c in layer 1
        main:NAME    a tensor or a file, for example main:config.json
        """

    func run() throws { throw CleanExit.message(Self.text) }
}
