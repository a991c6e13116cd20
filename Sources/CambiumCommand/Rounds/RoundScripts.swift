internal import Cambium
internal import Reporting

/// What a submission runs, and as what: the words of `round run` and `round merge` that a scheduler's scripts hold.
struct RoundScripts {
    /// Names jobs.
    let name: String
    /// What is called on the nodes.
    let program: String
    /// `--remote` and what else reaches it.
    let remote: [String]
    /// The base's commit.
    let base: String
    /// The branch that has it.
    let baseBranch: String
    /// The branch of a task, with placeholders.
    let branch: String
    let tasks: [RoundTask]
    /// What is merged of them.
    let rounds: [RoundLine]
    /// Options of `round run`: a message, for example.
    let runOptions: [String]
    /// `--policy` and its like.
    let mergeOptions: [String]
    let into: String
    let command: [String]
    /// Who commits.
    let author: String
    /// Tasks at once; nil for as many as there is room for.
    let jobs: Int?

    /// `round run` up to the source and the number of tasks.
    var run: [String] {
        [program, "round", "run"] + remote + ["--base", base, "--base-branch", baseBranch]
            + ["--branch", branch] + runOptions
    }

    /// `round merge` of the rounds that a file names.
    func merge(_ file: String) -> [String] {
        [program, "round", "merge"] + remote + ["--into", into] + mergeOptions + ["--rounds", file]
    }

    /// All tasks, one in a line; what a terminal or a parser would take amiss is spelled out.
    var taskLines: [String] { tasks.map { JSONText.spelled($0.json) } }

    /// All rounds, one in a line.
    var roundLines: [String] { rounds.map(JSONText.encode) }

    private func line(_ words: [String]) -> String {
        words.map(ShellWord.quoted).joined(separator: " ")
    }
}

/// As Slurm has it: an array of jobs, and one behind it.
extension RoundScripts {
    /// The script of the array, a task each.
    ///
    /// - Parameters:
    ///   - folder: Where the tasks' words go.
    ///   - options: Of sbatch; they come last, and win.
    func slurmArray(folder: String, options: [String]) -> String {
        var lines = slurmHead(
            name, log: "task-%a.log", folder: folder,
            ["--array=0-\(tasks.count - 1)" + (jobs.map { "%\($0)" } ?? "")] + options)
        // Progress as JSON: `round status` reads it in the log.
        lines.append("export CAMBIUM_PROGRESS=\"${CAMBIUM_PROGRESS:-json}\"")
        // In place of the shell: a signal of Slurm's reaches the command by it.
        lines.append(
            "exec \(line(run)) --tasks - --task \"$SLURM_ARRAY_TASK_ID\" -- \(line(command)) <<'CAMBIUM_TASKS'"
        )
        return (lines + taskLines + ["CAMBIUM_TASKS"]).joined(separator: "\n") + "\n"
    }

    /// The script of the merge.
    func slurmMerge(folder: String, options: [String]) -> String {
        let lines =
            slurmHead("\(name)-merge", log: "merge.log", folder: folder, options) + [
                "exec \(line(merge("-"))) <<'CAMBIUM_ROUNDS'"
            ] + roundLines + ["CAMBIUM_ROUNDS"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// What sbatch is told of the merge: after all tasks, and gone when one of them fails.
    static func dependency(on job: String) -> [String] {
        ["--dependency=afterok:\(job)", "--kill-on-invalid-dep=yes"]
    }

    /// A shell script that submits both.
    func slurm(folder: String, options: [String]) -> String {
        """
        #!/bin/bash
        # Written by `cambium round submit`: an array of \(tasks.count) rounds, and the merge behind it.
        set -eu
        mkdir -p \(ShellWord.quoted(folder))
        job=$(sbatch --parsable <<'CAMBIUM_ARRAY'
        \(slurmArray(folder: folder, options: options))CAMBIUM_ARRAY
        )
        sbatch \(Self.dependency(on: "${job%%;*}").map { "\"\($0)\"" }.joined(separator: " ")) <<'CAMBIUM_MERGE'
        \(slurmMerge(folder: folder, options: options))CAMBIUM_MERGE

        """
    }

    private func slurmHead(
        _ name: String, log: String, folder: String, _ options: [String]
    ) -> [String] {
        let log = folder.replacing("%", with: "%%") + "/" + log
        let all =
            ["--job-name=\(name)", "--requeue", "--open-mode=append", "--output=\(log)"] + options
        return ["#!/bin/bash"]
            + all.map { "#SBATCH " + ($0.contains(" ") ? "\"\($0)\"" : $0) }
            + ["export CAMBIUM_AUTHOR=\(ShellWord.quoted(author))"]
    }
}
