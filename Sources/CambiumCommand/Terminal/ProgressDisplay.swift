internal import Cambium
internal import Reporting

/// Shows how far long work has come, on standard error.
final class ProgressDisplay {
    /// How it is shown.
    enum Mode {
        /// A bar that is drawn over itself, after the first second.
        case bar
        /// A line now and then.
        case plain
        /// A JSON object per line now and then.
        case json
        /// Not at all.
        case none
    }

    private let mode: Mode
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var next: ContinuousClock.Instant
    private var phase = ""
    private var isDrawn = false
    /// The losses that were told so far, of training.
    private var losses: [Double] = []
    /// What the work is about, for example the revision; goes before the phase.
    var label: String

    /// Starts the clock.
    init(_ mode: Mode, label: String) {
        self.mode = mode
        self.label = label
        start = clock.now
        next = start.advanced(by: .seconds(1))
    }

    /// Tells how far the work has come.
    ///
    /// Cheap enough to be called often.
    func report(_ progress: Progress) {
        guard mode != .none else { return }
        if mode == .bar, let loss = progress.figures["loss"] { losses.append(loss) }
        let now = clock.now
        let isNew = mode != .bar && progress.phase != phase
        guard now >= next || isNew else { return }
        phase = progress.phase
        next = now.advanced(by: mode == .bar ? .milliseconds(100) : .seconds(1))
        let title = VisibleText.of(
            label.isEmpty ? progress.phase : "\(label): \(progress.phase)")
        switch mode {
        case .bar:
            isDrawn = true
            let line = ProgressLine(
                title: title, done: progress.done, total: progress.total,
                elapsed: start.duration(to: now), detail: progress.detail)
            let width = Terminal.width(.error)
            let bar = line.bar(width: width)
            Terminal.clearLine(.error)
            Terminal.write(bar + curve(room: width - bar.count - 3), to: .error)
        case .plain:
            let counts = "\(Quantity.count(progress.done)) of \(Quantity.count(progress.total))"
            let detail = progress.detail.isEmpty ? counts : progress.detail
            Terminal.write("\(title) \(detail)\n", to: .error)
        case .json:
            let step = Step(
                phase: title, done: progress.done, total: progress.total,
                detail: progress.detail.isEmpty ? nil : progress.detail,
                figures: progress.figures.isEmpty ? nil : progress.figures)
            Terminal.write(JSONText.encode(Line(progress: step)) + "\n", to: .error)
        case .none: break
        }
    }

    /// How the loss went so far, where there is room behind the bar.
    private func curve(room: Int) -> String {
        guard room >= 8 else { return "" }
        let style = Style.of(.error, allowsColor: false)
        return "  "
            + TextPicture.course(losses, width: min(24, room), isUnicode: style.isUnicode)
    }

    /// Removes the bar.
    func finish() {
        if isDrawn { Terminal.clearLine(.error) }
        isDrawn = false
    }

    private struct Step: Encodable {
        let phase: String
        let done: Int
        let total: Int
        let detail: String?
        let figures: [String: Double]?
    }

    private struct Line: Encodable {
        let schema = JSONText.schema
        let progress: Step

        enum CodingKeys: String, CodingKey { case schema, progress }
    }
}

/// One picture of a progress bar.
struct ProgressLine {
    /// What is being done.
    let title: String
    /// Units done so far.
    let done: Int
    /// Units in all.
    let total: Int
    /// Since the work began.
    let elapsed: Duration
    /// Figures of the moment; with them the time left is shown.
    var detail = ""

    /// For example `windows [#########      ] 60 %  0:03`, cut to the width.
    func bar(width: Int) -> String {
        let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 0
        let seconds = elapsed.components.seconds
        var tail = "\(Int(share * 100)) %  \(Self.clock(seconds))"
        if !detail.isEmpty {
            let left = share > 0 ? Double(seconds) * (1 - share) / share : 0
            if share > 0 { tail += ", \(Self.clock(Int64(left))) left" }
            tail += "  \(detail)"
        }
        let room = min(30, width - title.count - tail.count - 6)
        guard room >= 5 else { return String("\(title) \(tail)".prefix(max(0, width - 1))) }
        let filled = Int(share * Double(room))
        let bar =
            String(repeating: "#", count: filled) + String(repeating: "-", count: room - filled)
        return "\(title) [\(bar)] \(tail)"
    }

    /// Minutes and seconds.
    private static func clock(_ seconds: Int64) -> String {
        let padded = String(repeating: "0", count: seconds % 60 < 10 ? 1 : 0) + "\(seconds % 60)"
        return "\(seconds / 60):\(padded)"
    }
}
