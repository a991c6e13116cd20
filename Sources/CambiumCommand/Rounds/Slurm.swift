internal import Cambium
internal import FoundationEssentials

/// What is asked of Slurm, by its own programs.
enum Slurm {
    /// A task of an array that is in the queue.
    struct Job: Equatable {
        /// `PENDING`, `RUNNING` and so on (squeue(1), "JOB STATE CODES").
        let state: String
        /// Where it runs; empty until it does.
        let node: String
        /// For how long, as Slurm writes it.
        let elapsed: String
        /// Why it waits.
        let reason: String
    }

    /// Submits a script.
    ///
    /// - Returns: The job's number.
    static func submit(_ script: String, _ options: [String] = []) throws -> String {
        let (text, status) = try ChildProcess.output(
            of: ["sbatch", "--parsable"] + options + [script], input: "/dev/null")
        // Behind a semicolon comes the cluster's name, where there are several.
        let job = String(text.trimmingCharacters.prefix { $0 != ";" })
        guard status == 0, !job.isEmpty, job.allSatisfy(\.isNumber) else {
            throw Failure(
                .io, "sbatch ended with status \(status) and did not take \(script)",
                hint:
                    "its words are above; `cambium round submit --engine print` shows what it would be given"
            )
        }
        return job
    }

    /// The user's tasks in the queue, by job and number; those of no array have the number -1.
    static func queue() throws -> [String: [Int: Job]] {
        let (text, status) = try ChildProcess.output(
            of: ["squeue", "--me", "--noheader", "--array", "--format=%F|%K|%T|%N|%M|%r"],
            input: "/dev/null")
        guard status == 0 else {
            throw Failure(
                .io, "squeue ended with status \(status)",
                hint: "is the controller up? `scontrol ping` tells")
        }
        return parse(text)
    }

    static func parse(_ text: String) -> [String: [Int: Job]] {
        var jobs: [String: [Int: Job]] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "|", maxSplits: 5, omittingEmptySubsequences: false)
            guard fields.count == 6 else { continue }
            jobs[String(fields[0]), default: [:]][Int(fields[1]) ?? -1] = Job(
                state: String(fields[2]), node: String(fields[3]), elapsed: String(fields[4]),
                reason: String(fields[5]))
        }
        return jobs
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmingCharacters: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
