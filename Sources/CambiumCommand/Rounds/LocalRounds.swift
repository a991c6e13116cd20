internal import Cambium

/// Rounds as processes of this machine.
struct LocalRounds {
    let scripts: RoundScripts
    let folder: String
    let jobs: Int

    /// Runs all tasks, so many at once, and the merge when all ended well.
    ///
    /// - Parameter tell: Told each end: the task's number, or nil of the merge, and its status.
    /// - Returns: Whether all was merged.
    /// - Throws: `cancelled` after a signal, when what ran has ended.
    func run(_ tell: (Int?, Int32) throws -> Void) throws -> Bool {
        try Interrupt.relaying {
            var running: [(task: RoundTask, process: ChildProcess)] = []
            var waiting = scripts.tasks[...]
            var failed = 0
            // Whatever is thrown: a round that was begun is not left behind.
            defer { for child in running { _ = child.process.wait() } }
            while !running.isEmpty || !(waiting.isEmpty || Interrupt.isAsked) {
                while running.count < jobs, !Interrupt.isAsked, let task = waiting.popFirst() {
                    running.append((task, try start(task)))
                }
                guard !running.isEmpty else { break }
                let (index, status) = ChildProcess.waitForAny(running.map(\.process))
                try tell(running.remove(at: index).task.index, status)
                if status != 0 { failed += 1 }
            }
            try checkInterrupt()
            guard failed == 0 else { return false }
            let status = try ChildProcess(
                scripts.merge("\(folder)/rounds.jsonl"),
                variables: ["CAMBIUM_AUTHOR": scripts.author], input: "/dev/null",
                output: .file("\(folder)/merge.log")
            ).wait()
            try tell(nil, status)
            try checkInterrupt()
            return status == 0
        }
    }

    private func start(_ task: RoundTask) throws -> ChildProcess {
        try ChildProcess(
            scripts.run + ["--tasks", "\(folder)/tasks.jsonl", "--task", "\(task.index)", "--"]
                + scripts.command,
            variables: [
                "CAMBIUM_AUTHOR": scripts.author,
                "CAMBIUM_PROGRESS": Terminal.variable("CAMBIUM_PROGRESS") ?? "json",
            ], input: "/dev/null",
            output: .file(RoundSubmission.log(task.index, in: folder)))
    }

    private func checkInterrupt() throws {
        guard Interrupt.isAsked else { return }
        throw Failure(
            .cancelled,
            "interrupted; what is finished is on the remote, and the same command goes on from there"
        )
    }
}
