internal import Elements
internal import Files
internal import FoundationEssentials
internal import Snapshots

/// A round of training that is under way, in whatever process.
public struct RunningRoundInfo: Sendable, Codable {
    /// The branch that it will be committed to.
    public let branch: String
    /// The message of its commit.
    public let message: String
    /// When it began, in seconds since 1970.
    public let started: Int64
    /// Steps done.
    public fileprivate(set) var steps: Int
    /// How the loss went so far: bits per byte, each the mean since the point before.
    public fileprivate(set) var curve: [CurvePoint]
}

extension Store {
    /// The rounds that are being trained on this machine now, by branch.
    ///
    /// They are told from the second second on, and a second late.
    public func runningRounds() throws -> [RunningRoundInfo] {
        try RunningRound.all(in: snapshots.directory)
    }
}

/// What a round tells others while it trains: a file beside the store's data, and a lock that shows that it lives.
///
/// Nothing depends on it: where it cannot be written, nobody is told.
final class RunningRound {
    private static let suffix = ".round"
    /// Points that are kept; a longer curve has every second one less.
    private static let mostPoints = 400

    private let folder: String
    private let interval: Duration
    private let clock = ContinuousClock()
    private var next: ContinuousClock.Instant
    private var info: RunningRoundInfo
    private var path: String?
    private var lock: FileLock?
    private var sum = 0.0
    private var count = 0
    private var stride = 1

    /// - Parameter interval: How often it is told.
    init(
        in directory: String, branch: String, message: String, started: Int64,
        interval: Duration = .seconds(1)
    ) {
        folder = directory + "/running"
        self.interval = interval
        next = clock.now.advanced(by: interval)
        info = RunningRoundInfo(
            branch: branch, message: message, started: started, steps: 0, curve: [])
    }

    deinit { end() }

    /// Takes a step of the training in.
    func note(_ progress: Progress) {
        guard let loss = progress.figures["loss"], let step = progress.figures["step"] else {
            return
        }
        info.steps = Int(exactly: step.rounded()) ?? info.steps
        (sum, count) = (sum + loss, count + 1)
        if count >= stride {
            info.curve.append(CurvePoint(step: info.steps, value: sum / Double(count)))
            (sum, count) = (0, 0)
        }
        if info.curve.count >= Self.mostPoints {
            stride *= 2
            info.curve = info.curve.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        }
        guard clock.now >= next else { return }
        next = clock.now.advanced(by: interval)
        try? tell()
    }

    private func tell() throws {
        if path == nil {
            try makeStoreFolder(folder)
            Self.removeStale(in: folder)
            let name = "\(folder)/\(UInt64.random(in: .min ... .max))\(Self.suffix)"
            lock = try FileLock(path: name + ".lock", .exclusive, wait: false)
            path = name
        }
        guard let path else { return }
        try writeFile(Array(JSONEncoder().encode(info)), to: path)
    }

    /// Takes it back: the round is committed, stopped, or has failed.
    func end() {
        guard let path else { return }
        try? removeFile(path)
        try? removeFile(path + ".lock")
        lock = nil
        self.path = nil
    }

    /// All rounds whose lock is held.
    static func all(in directory: String) throws -> [RunningRoundInfo] {
        let folder = directory + "/running"
        guard fileExists(folder) else { return [] }
        return try directoryContents(folder).filter { $0.hasSuffix(suffix) }.compactMap { name in
            guard isHeld("\(folder)/\(name).lock"),
                let bytes = try? readStoreFile("\(folder)/\(name)", limit: 1 << 20)
            else { return nil }
            return try? JSONDecoder().decode(RunningRoundInfo.self, from: Data(bytes))
        }.sorted { isBefore($0.branch, $1.branch) }
    }

    private static func isHeld(_ path: String) -> Bool {
        guard fileExists(path) else { return false }
        do {
            _ = try FileLock(path: path, .shared, wait: false, creating: false)
            return false
        } catch {
            return (error as? CambiumError)?.code == .busy
        }
    }

    /// Removes what killed rounds left.
    private static func removeStale(in folder: String) {
        for name in (try? directoryContents(folder)) ?? []
        where name.hasSuffix(suffix) && !isHeld("\(folder)/\(name).lock") {
            try? removeFile("\(folder)/\(name)")
            try? removeFile("\(folder)/\(name).lock")
        }
    }
}
