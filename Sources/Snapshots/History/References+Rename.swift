internal import Elements
internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Gives a branch another name; its reflog goes with it, and so does HEAD when it is there.
    ///
    /// - Throws: `.notFound` without such a branch, `.exists` when the new name is taken, `.badName`.
    package func renameBranch(
        _ old: String, to new: String, by note: ReflogNote
    ) throws {
        try ReferenceName.check(new, "branch")
        try environment.write("rename") { transaction in
            let references = try References(transaction)
            try references.checkUnshared(new, .branch)
            let wasHead = references.head == .branch(old)
            let place = references.branches[old]
            guard place != nil || wasHead else {
                throw CambiumError(.notFound, "there is no branch '\(old)'")
            }
            guard references.branches[new] == nil, references.head != .branch(new) else {
                throw CambiumError(.exists, "the branch '\(new)' exists already")
            }
            if let place {
                try Self.moveReflog("heads/\(old)", to: "heads/\(new)", transaction)
                // HEAD stays where it is: its reflog has no move.
                if wasHead { try Self.writeHead(.branch(new), transaction) }
                try Self.put(.branch, old, nil, transaction)
                try Self.put(.branch, new, place, transaction)
                try Self.log("heads/\(new)", place, place, note, transaction)
            } else {
                try Self.writeHead(.branch(new), transaction)
            }
        }
    }

    /// Moves all entries of a reflog behind those that another one has.
    private static func moveReflog(
        _ old: String, to new: String, _ transaction: borrowing WriteTransaction
    ) throws {
        var keys: [[UInt8]] = []
        var entries: [ReflogEntry] = []
        try scanReflog(old, transaction) { (key, entry) in
            keys.append(key)
            entries.append(entry)
        }
        let table = transaction.environment.table(reflogTable)
        for key in keys { try transaction.delete(table, key) }
        for entry in entries {
            try log(new, entry.old, entry.new, entry.note, transaction)
        }
    }
}
