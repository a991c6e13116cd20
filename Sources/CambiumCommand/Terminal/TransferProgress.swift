internal import Cambium
internal import Reporting

/// Progress of what moves bytes: shown with their size and rate.
final class TransferProgress {
    private let display: ProgressDisplay
    private let clock = ContinuousClock()
    private var phase = ""
    private var start: ContinuousClock.Instant
    /// Phases whose units are bytes.
    private static let bytes: Set<String> = ["sending", "receiving"]

    init(_ display: ProgressDisplay) {
        self.display = display
        start = clock.now
    }

    func report(_ progress: Progress) {
        guard Self.bytes.contains(progress.phase) else { return display.report(progress) }
        if progress.phase != phase { (phase, start) = (progress.phase, clock.now) }
        let passed = start.duration(to: clock.now)
        let seconds =
            Double(passed.components.seconds) + Double(passed.components.attoseconds) * 1e-18
        let rate = seconds > 0.1 ? Int(Double(progress.done) / seconds) : 0
        var detail =
            "\(Quantity.bytes(progress.done)) of \(Quantity.bytes(progress.total))"
        if rate > 0 { detail += ", \(Quantity.bytes(rate))/s" }
        display.report(
            Progress(
                progress.phase, progress.done, progress.total, detail: detail,
                figures: ["bytes": Double(progress.done), "rate": Double(rate)]))
    }
}

extension Console {
    /// Runs what moves bytes, with a display that is gone when it ends.
    func withTransfer<Result>(
        _ label: String = "", _ body: (TransferProgress) throws -> Result
    ) rethrows -> Result {
        try withProgress(label) { try body(TransferProgress($0)) }
    }
}
