internal import ArgumentParser
internal import Cambium

struct RoundStatusCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how far submitted rounds have come: tasks, steps, loss, commits.",
        discussion: """
            What is finished is told by the remote's branches, what runs and waits by Slurm's queue, steps and loss \
            of running tasks by what they last wrote. With --follow it ends when all is merged (status 0), or nothing \
            goes on (status 1).

            cambium round status round-3fa94c21
            cambium round status round-3fa94c21 --follow
            """)

    @Argument(help: "The submission's folder.", completion: .directory)
    var folder: String

    @Flag(help: "Wait for the end, and tell of each round that ends.")
    var follow = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let submission = try RoundSubmission(folder: folder)
        let source = try RoundSource(url: submission.remote, submission.access)
        let status = try RoundStatus(submission, source, folder: folder)
        guard follow, !status.isOver else { return console.show(status) }
        try RoundFollowing.run(submission, source, folder: folder, console)
    }
}

/// Waiting for the end of submitted rounds.
enum RoundFollowing {
    private static let pause = 3

    /// Tells of each round whose state changes, and shows the status when nothing goes on.
    ///
    /// - Throws: ``Ended`` with status 1 when not all was merged.
    static func run(
        _ submission: RoundSubmission, _ source: RoundSource, folder: String, _ console: Console
    ) throws {
        var states: [String: RoundStatus.State] = [:]
        while true {
            let status = try RoundStatus(submission, source, folder: folder)
            for row in status.rows + [status.merge]
            where states.updateValue(row.state, forKey: row.branch) != row.state {
                console.note(
                    ([row.name, row.state.rawValue, row.node, row.commit?.short, row.detail]
                        as [String?])
                        .compactMap { $0 }.joined(separator: "  "))
            }
            if status.isOver {
                console.show(status)
                if !status.isMerged { throw Ended(status: .failure) }
                return
            }
            Terminal.sleep(seconds: pause)
        }
    }
}
