internal import ArgumentParser
internal import Cambium
internal import Reporting

struct StatusCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say where HEAD is and how big the store is.",
        discussion: """
            Takes no longer when history grows, unless the branch and a remote's are apart: then both are \
            read. `cambium stats` counts commits and what is stored.

            cambium status
            cambium status --json
            """)

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading()
        let branch = try store.currentBranch()
        console.show(
            StatusReport(
                store: store.path, branch: branch, head: try head(of: store),
                statistics: try store.overview(),
                remotes: try branch.map { try store.distances(ofBranch: $0) } ?? [],
                now: Signature.current.time))
    }

    /// HEAD's commit; nil in a new store, where HEAD is on a branch without commits.
    private func head(of store: Store) throws -> CommitInfo? {
        do {
            return try store.show("HEAD")
        } catch let error as CambiumError {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }
}

struct StatusReport: Report {
    let store: String
    let branch: String?
    let head: CommitInfo?
    let statistics: StoreOverview
    let remotes: [RemoteDistance]
    let now: Int64

    enum CodingKeys: String, CodingKey { case store, branch, head, statistics, remotes }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left])
        table.add(["store", "\(store)  (format \(statistics.format))"])
        table.add(["HEAD", branch.map { "on branch \(style.name($0))" } ?? "detached"])
        if let head {
            table.add(["commit", "\(style.id(head.id.short))  \(head.message.firstLine)"])
            table.add(["", Timestamp.full(head.time, now: now) + " by \(head.author)"])
        }
        for remote in remotes { table.add(["", Self.line(remote)]) }
        if head != nil {
            table.add(["model", Quantity.bytes(statistics.headBytes) + " as a checkpoint"])
        }
        let branches = Quantity.count(statistics.branches, "branch", "branches")
        table.add(["history", "\(branches), \(Quantity.count(statistics.tags, "tag"))"])
        table.add([
            "stored",
            "\(Quantity.bytes(statistics.fileBytes)) on disk, of which "
                + "\(Quantity.bytes(statistics.freeBytes)) free for later commits",
        ])
        let next =
            statistics.branches == 0
            ? "next: cambium commit CHECKPOINT -m MESSAGE   (a folder or a .safetensors file)"
            : "\(branch ?? "HEAD") has no commits yet; `cambium branch` lists branches that have"
        return table.lines() + (head == nil ? [style.faint(next)] : [])
    }

    private static func line(_ remote: RemoteDistance) -> String {
        switch (remote.ahead, remote.behind) {
        case (0, 0): "as \(remote.name) was when it was last seen"
        case (let ahead, 0): "\(Quantity.count(ahead, "commit")) ahead of \(remote.name)"
        case (0, let behind): "\(Quantity.count(behind, "commit")) behind \(remote.name)"
        case (let ahead, let behind):
            "\(Quantity.count(ahead)) ahead of \(remote.name) and \(Quantity.count(behind)) behind it"
        }
    }
}
