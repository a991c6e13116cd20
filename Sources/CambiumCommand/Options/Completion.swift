internal import ArgumentParser
internal import Cambium

/// Names of a store for the shell that completes a word: those of the store that the line names so far.
///
/// What goes wrong completes to nothing: a shell has no place for a message.
enum Completion {
    /// Branches and tags, and HEAD.
    static var revisions: CompletionKind {
        .custom { words, _, _ in
            names(words) { store in
                try store.branches().map(\.name) + store.tags().map(\.name)
                    + store.remoteBranches().map(\.name) + ["HEAD"]
            }
        }
    }

    /// Branches.
    static var branches: CompletionKind {
        .custom { words, _, _ in
            names(words) { store in try store.branches().map(\.name) }
        }
    }

    /// Names of remotes.
    static var remotes: CompletionKind {
        .custom { words, _, _ in
            names(words) { store in try store.remotes().map(\.name) }
        }
    }

    /// Adapters of HEAD's model, or of the branch that the line names.
    static var adapters: CompletionKind {
        .custom { words, _, _ in
            let branch = value(of: ["--branch"], in: words) ?? "HEAD"
            return names(words) { store in try store.adapters(branch) }
        }
    }

    private static func names(
        _ words: [String], _ list: (Store) throws -> [String]
    ) -> [String] {
        let path =
            value(of: ["-C", "--store"], in: words) ?? Terminal.variable("CAMBIUM_STORE") ?? "."
        guard Store.exists(at: path), let store = try? Store(path, readOnly: true) else {
            return []
        }
        return (try? list(store)) ?? []
    }

    /// The value of an option in a line that may not be complete.
    static func value(of names: Set<String>, in words: [String]) -> String? {
        for (index, word) in words.enumerated().reversed() {
            if names.contains(word), index + 1 < words.count { return words[index + 1] }
            if let sign = word.firstIndex(of: "="), names.contains(String(word[..<sign])) {
                return String(word[word.index(after: sign)...])
            }
        }
        return nil
    }
}
