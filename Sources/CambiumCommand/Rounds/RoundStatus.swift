internal import Cambium
internal import FoundationEssentials
internal import Reporting

/// How far submitted rounds have come: what the remote has, what the queue says, what running tasks last wrote.
struct RoundStatus: Report, Equatable {
    /// Where a round, or the merge, is.
    enum State: String, Encodable {
        /// On the remote.
        case finished
        case running
        /// In the queue, or not begun.
        case waiting
        /// It began, and whether it still runs nobody here can tell.
        case begun
        /// It is over, and the remote does not have it.
        case failed
        /// Its branch has something else.
        case taken
    }

    struct Row: Encodable, Equatable {
        let index: Int
        let name: String
        let branch: String
        var state: State
        var node: String?
        var steps: Int?
        /// How much of a round is done that runs, from 0 to 1.
        var share: Double?
        /// Bits per byte.
        var loss: Double?
        var commit: String?
        /// Why it waits or failed.
        var detail: String?

        var isOver: Bool { [.finished, .failed, .taken].contains(state) }
    }

    let name: String
    let engine: String
    let url: String
    let into: String
    var rows: [Row]
    var merge: Row

    /// Whether nothing will change any more.
    var isOver: Bool {
        (rows + [merge]).allSatisfy(\.isOver)
    }

    /// Whether all is done.
    var isMerged: Bool { merge.state == .finished }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left, .right, .right, .right, .left, .left])
        for row in rows + [merge] {
            table.add([
                style.name(row.name), style.faint(row.state.rawValue),
                row.steps.map { Quantity.count($0, "step") } ?? "",
                row.share.map { "\(Int($0 * 100)) %" } ?? "",
                row.loss.map { "loss \(Quantity.fixed($0, 3))" } ?? "",
                row.commit.map { style.id($0.short) } ?? row.node ?? "",
                row.detail ?? "",
            ])
        }
        let done = rows.count { $0.state == .finished }
        return [
            "\(style.name(name)): \(done) of \(Quantity.count(rows.count, "round")) on \(url), to be merged into "
                + style.name(into)
        ] + table.lines(indent: 2)
    }

    func quietLines() -> [String] { rows.map { "\($0.name) \($0.state.rawValue)" } }
}

extension RoundStatus {
    /// Looks.
    init(_ submission: RoundSubmission, _ source: RoundSource, folder: String) throws {
        let heads = try source.describe(submission.tasks.map(\.branch) + [submission.into])
        let queue = try submission.job == nil ? [:] : Slurm.queue()
        name = submission.name
        engine = submission.engine
        url = submission.remote
        into = submission.into
        rows = submission.tasks.map { task in
            var row = Row(index: task.index, name: task.name, branch: task.branch, state: .waiting)
            if let head = heads[task.branch] {
                row.state = head.key == task.key ? .finished : .taken
                row.commit = head.commit
                row.steps = head.metrics["train.steps"].flatMap { Int(exactly: $0) }
                row.loss = head.metrics["train.loss"]
                return row
            }
            let log = TaskLog(RoundSubmission.log(task.index, in: folder))
            row.look(queue[submission.job ?? ""]?[task.index], log, of: submission, "\(task.index)")
            return row
        }
        merge = Row(index: rows.count, name: "merge", branch: into, state: .waiting)
        let sides = Set(rows.compactMap { $0.state == .finished ? $0.commit : nil })
        if let head = heads[into], sides.count == rows.count,
            try source.builds(into, on: sides, from: submission.base)
        {
            merge.state = .finished
            merge.commit = head.commit
        } else {
            merge.look(
                queue[submission.mergeJob ?? ""]?[-1], TaskLog("\(folder)/merge.log"),
                of: submission, "merge")
        }
        if merge.state == .waiting,
            rows.contains(where: { $0.state == .failed || $0.state == .taken }),
            rows.allSatisfy(\.isOver)
        {
            merge.state = .failed
            merge.detail = "not all rounds ended well"
        }
    }
}

extension RoundStatus.Row {
    /// What the queue and the log say of what is not on the remote.
    fileprivate mutating func look(
        _ job: Slurm.Job?, _ log: TaskLog, of submission: RoundSubmission, _ key: String
    ) {
        if let job {
            state = job.state == "PENDING" ? .waiting : .running
            node = job.node.isEmpty ? nil : job.node
            detail = state == .waiting ? job.reason : job.elapsed
        } else if submission.job != nil || submission.statuses[key] != nil {
            state = .failed
            detail = log.lastWords
        } else if log.exists {
            state = .begun
            detail = log.lastWords
        }
        guard [.running, .begun].contains(state), let progress = log.progress else { return }
        steps = progress.figures?["step"].flatMap { Int(exactly: $0) }
        loss = progress.figures?["loss"]
        // A log may say anything.
        share =
            progress.total > 0
            ? max(0, min(1, Double(progress.done) / Double(progress.total))) : nil
    }
}

/// The end of what a task wrote.
private struct TaskLog {
    let exists: Bool
    /// The last line that is no progress.
    private(set) var lastWords: String?
    private(set) var progress: Step?

    struct Step: Decodable {
        let done: Int
        let total: Int
        let figures: [String: Double]?
    }

    private struct Line: Decodable { let progress: Step }

    /// How much of its end is read.
    private static let tail = 16 << 10

    init(_ path: String) {
        guard let text = try? Terminal.source(path),
            let bytes = try? text.bytes(max(0, text.count - Self.tail)..<text.count)
        else {
            exists = false
            return
        }
        exists = true
        for line in bytes.split(separator: UInt8(ascii: "\n")).reversed() {
            if let step = try? JSONDecoder().decode(Line.self, from: Data(line)) {
                progress = progress ?? step.progress
            } else if lastWords == nil {
                lastWords = String(decoding: line, as: UTF8.self)
            }
            if progress != nil, lastWords != nil { break }
        }
    }
}
