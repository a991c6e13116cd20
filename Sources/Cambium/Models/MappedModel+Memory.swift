internal import Elements
internal import Evidence
internal import Models
internal import Objects

/// How a model uses memory.
public struct ModelOptions: Sendable {
    /// Bytes of memory that the process may have, mapped and own together, as the kernel counts them.
    ///
    /// With a limit experts are copied out of the file when they are picked, and those that were not used
    /// for long are dropped when the process would have more. Nil for no limit.
    public var memoryLimit: Int?
    /// Whether to ask for the experts that the snapshot's usage profile names, if there is one, before
    /// the first token.
    public var warms: Bool

    /// No limit, warmed by the profile.
    public init(memoryLimit: Int? = nil, warms: Bool = true) {
        self.memoryLimit = memoryLimit
        self.warms = warms
    }
}

/// What a model's runs did so far.
public struct RunStatistics: Sendable, Encodable {
    /// Experts that tokens picked, each as often as it was picked.
    public let selections: Int
    /// Picks of experts that no token had picked before; the others found theirs at a known address.
    public let firstSelections: Int
    /// The share of the picks that were not first ones; 0 before the first.
    public let hitRate: Double
    /// Experts that were asked for ahead, because the usage profile names them.
    public let prefetched: Int
    /// Of these, the ones that were picked.
    public let prefetchedUsed: Int
    /// Their share; 0 when none was asked for.
    public let prefetchAccuracy: Double
    /// Bytes of experts that were dropped so that the memory limit holds.
    public let bytesReleased: Int
    /// Bytes that the kernel read from the disk for this process since the model was mapped.
    public let bytesRead: Int
    /// Page faults that waited for the disk since then.
    public let majorFaults: Int
    /// The process's own memory now, in bytes.
    public let rssAnon: Int
    /// Mapped files in its memory now, in bytes.
    public let rssFile: Int
}

extension RunStatistics {
    init(_ counts: Residency.Counts, since start: ProcessCounters) {
        let now = ProcessCounters()
        self.init(
            selections: counts.selections, firstSelections: counts.firstSelections,
            hitRate: counts.hitRate, prefetched: counts.prefetched,
            prefetchedUsed: counts.prefetchedUsed, prefetchAccuracy: counts.prefetchAccuracy,
            bytesReleased: counts.bytesReleased, bytesRead: now.bytesRead - start.bytesRead,
            majorFaults: now.majorFaults - start.majorFaults, rssAnon: now.anonymousBytes,
            rssFile: now.fileBytes)
    }
}

/// What the kernel counted for this process.
public struct ProcessStatistics: Sendable, Encodable {
    /// Bytes that it read from the disk.
    public let bytesRead: Int
    /// The process's own memory now, in bytes.
    public let rssAnon: Int
    /// Mapped files in its memory now, in bytes.
    public let rssFile: Int
    /// All that it has in memory now, in bytes.
    public var residentBytes: Int { rssAnon + rssFile }

    /// As it is now; 0 for what the system does not tell.
    public init() {
        let now = ProcessCounters()
        (bytesRead, rssAnon, rssFile) = (now.bytesRead, now.anonymousBytes, now.fileBytes)
    }

    /// Gives back to the system what was freed and the allocator keeps for later.
    ///
    /// For a process with a memory limit that dropped a model, and for one that runs many.
    public static func returnFreedMemory() { returnFreedBuffers() }
}

/// What a profile holds.
public struct ProfileResult: Sendable, Encodable {
    /// The commit's id.
    public let id: String
    /// The file.
    public let path: String
    /// Distinct experts that were picked, over all layers.
    public let experts: Int
    /// Their bytes.
    public let bytes: Int
}

extension Store {
    /// Counts which experts a revision's model picks on a text, and keeps the counts beside the store's
    /// data, to warm later starts.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - text: Of bytes; with a tokenizer UTF-8.
    ///   - progress: Called as windows of the text are done.
    /// - Returns: Where the profile is; an earlier one of this commit is replaced.
    /// - Throws: `bad-input` for an empty text, `read-only`; `unsupported` for a model that has no text.
    public func profile(
        _ revision: String, on text: [UInt8], progress: ProgressReporter = { _ in }
    ) throws -> ProfileResult { try profile(revision, on: TextSource(text), progress: progress) }

    /// As ``profile(_:on:progress:)-(_,[UInt8],_)``, of a text that is read window by window.
    public func profile(
        _ revision: String, on text: TextSource, progress: ProgressReporter = { _ in }
    ) throws -> ProfileResult {
        ProfileResult(try snapshots.profile(at: revision, progress) { try $0.tokens(of: text) })
    }

    /// The same for tokens.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - tokens: Ids of the model's vocabulary.
    ///   - progress: Called as windows of the text are done.
    /// - Throws: `bad-input` for no tokens or one that the model does not know, `read-only`.
    public func profile(
        _ revision: String, onTokens tokens: [Int], progress: ProgressReporter = { _ in }
    ) throws -> ProfileResult {
        ProfileResult(try snapshots.profile(at: revision, progress) { _ in .tokens(tokens) })
    }
}

extension ProfileResult {
    fileprivate init(_ kept: (commit: ObjectID, path: String, experts: Int, bytes: Int)) {
        self.init(id: kept.commit.hex, path: kept.path, experts: kept.experts, bytes: kept.bytes)
    }
}
