internal import Architectures
package import Elements
package import Models
internal import Objects
package import Routing
package import Snapshots
internal import Tensors

/// Records of the routes that a model with linear routers is to keep: those of its snapshot, and further texts'.
package struct KeptRoutes {
    /// Of the snapshot, those that are of its model or one that it grew out of.
    package private(set) var known: [RouteContribution] = []
    /// Of texts that have no record yet.
    package private(set) var added: [RouteContribution] = []
    /// Records of the snapshot that are of another model.
    private let strange: [ObjectID]
    private let running: SnapshotModel
    private let identity: (id: ObjectID, experts: Int)

    /// - Throws: `unsupported` for a model without linear routers.
    package init(_ snapshot: MappedSnapshot, _ running: SnapshotModel) throws {
        guard let identity = try RouteIdentity.id(of: snapshot) else {
            throw CambiumError(.unsupported, "the model has no experts")
        }
        (known, strange) = try Self.sorted(snapshot.evidence(), snapshot)
        self.running = running
        self.identity = identity
    }

    /// Records of routes by whether they are of a snapshot's model, or of one that it grew out of.
    private static func sorted(
        _ records: [NamedContribution], _ snapshot: MappedSnapshot
    ) throws -> (known: [RouteContribution], strange: [ObjectID]) {
        var identities: [Int: ObjectID] = [:]
        var known: [RouteContribution] = []
        var strange: [ObjectID] = []
        for entry in records {
            guard case .routes(let record) = entry.record else { continue }
            let count = Int(record.experts)
            if identities[count] == nil {
                identities[count] = try RouteIdentity.id(of: snapshot, experts: count)?.id
            }
            if identities[count]?.bytes == record.model {
                known.append(record)
            } else {
                strange.append(entry.id)
            }
        }
        return (known, strange)
    }

    /// What those of some records that are of a snapshot's model add up to; nil when there are none.
    package static func united(
        of snapshot: MappedSnapshot, _ records: [NamedContribution]
    ) throws -> UnitedRoutes? {
        let known = try sorted(records, snapshot).known
        guard !known.isEmpty else { return nil }
        return try counted(.corrupt) { try UnitedRoutes(known) }
    }

    /// What was not used, for people.
    package var notes: [String] {
        strange.map {
            "evidence \($0.short) of routes is of another model, whose weights changed since, and was not "
                + "used; cambium evidence drop \($0.short) removes it"
        }
    }

    /// Runs the model over a text, unless it has a record.
    ///
    /// - Parameters:
    ///   - text: A record names it.
    ///   - what: The text, for messages.
    /// - Returns: Its record.
    /// - Throws: `bad-input` for a text that is too short; `unsupported` for routers that no row can be added to.
    @discardableResult
    package mutating func add(
        _ text: [UInt8], _ what: String, label: String = "", threads: Int,
        _ progress: ProgressReporter
    ) throws -> RouteContribution {
        let data = try ObjectID(ofFile: text).bytes
        if let record = (known + added).first(where: { $0.data == data }) { return record }
        let windows = try windows(of: [text], what)
        let read = try RouteReader(
            running.model.base, team: threads == 1 ? .single : ThreadTeam(count: threads)
        ).read(windows) { try progress(Progress("layers of old text", $0, $1)) }
        let identity = identity
        let record = try counted(.usage) {
            try RouteContribution(
                label: label, data: data, byteCount: UInt64(text.count),
                tokenCount: UInt64(windows.joined().count), model: identity.id.bytes,
                experts: UInt32(clamping: identity.experts), layers: read.layers,
                windows: read.windows)
        }
        added.append(record)
        return record
    }

    /// All as one.
    ///
    /// - Throws: `usage` when there is none.
    package func united() throws -> UnitedRoutes {
        let all = known + added
        guard !all.isEmpty else {
            throw CambiumError(
                .usage,
                (strange.isEmpty
                    ? "the branch has no evidence of routes that are to stay"
                    : "the branch's evidence of routes (\(strange[0].short)) is of another model: its "
                        + "weights changed since")
                    + "; give old text with --keep, or add it: cambium evidence add --kind routes --text FILE"
            )
        }
        return try counted(.corrupt) { try UnitedRoutes(all) }
    }

    /// The windows of some texts, in tokens.
    ///
    /// - Parameter what: The texts, for messages.
    /// - Throws: `bad-input` for too short ones; what the tokenizer throws.
    package func windows(of texts: [[UInt8]], _ what: String) throws -> [[Int]] {
        var all: [[Int]] = []
        for text in texts {
            all.append(try running.vocabulary.tokens(of: text, addsSpecialTokens: false))
        }
        let count = all.joined().count
        // Sixteen windows at least, so that each of their uses has some.
        let size = min(
            RouteContribution.Windows.longest, running.model.description.contextLength, count / 16)
        guard size >= 8 else {
            throw CambiumError(
                CambiumError.Code.badInput,
                "\(what) has \(count) tokens; 128 are needed, and thousands make better routes")
        }
        return all.flatMap { tokens in
            stride(from: 0, to: tokens.count - size + 1, by: size).map {
                Array(tokens[$0..<$0 + size])
            }
        }
    }
}

/// The beginnings of some texts that have so many bytes together, at most; without those that would be cut to
/// less than 2,048 bytes, of which little can be learned.
package func limited(_ texts: [[UInt8]], to limit: Int?) -> [[UInt8]] {
    var rest = limit ?? .max
    var parts: [[UInt8]] = []
    for text in texts {
        let part = Array(text.prefix(rest))
        guard parts.isEmpty || part.count == text.count || part.count >= 2_048 else { continue }
        rest -= part.count
        parts.append(part)
    }
    return parts
}
