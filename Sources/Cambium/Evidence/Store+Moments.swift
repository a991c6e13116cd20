internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// What moments of hidden states are counted for.
public enum MomentTarget: String, Sendable, CaseIterable {
    /// The gate: the text belongs to the cohort.
    case cohort
    /// A router over the layer's experts, by the digits of their numbers: the experts that its own router's
    /// heads pick first, or those that a file assigns.
    case experts
}

extension Store {
    /// Sums up texts' hidden states as evidence for a cohort and commits the records.
    ///
    /// The frozen trunk of the branch runs over each text in windows of its context length; the states in
    /// front of the layer's experts are made integers by a quantiser that follows from the trunk, and added
    /// up in 64 bits, exactly. The bits depend on the text and the trunk alone, not on threads or the CPU.
    ///
    /// - Parameters:
    ///   - texts: One record each, of at least one byte.
    ///   - layer: The number of a layer with experts.
    ///   - cohort: The class; "base" for what the base model learned.
    ///   - label: Which round or data it is, for people.
    ///   - target: What the sums are for; picks are those of the cohort "base".
    ///   - assignments: Of picks, the expert that each byte of each text should pick, instead of those that
    ///     the layer's router does; nil for the router's.
    ///   - threads: Share the work; the records do not depend on them.
    ///   - options: The branch, which must have a model that can be run, and the message.
    ///   - progress: Called with the windows done.
    /// - Throws: `usage` for a text, name or assignment that cannot be, and when the branch has moments of the
    ///   layer over another trunk, to which these cannot be added, or other picks of a text; `unsupported` for a model that cannot be run;
    ///   `branch-moved`. Then nothing is committed.
    @discardableResult
    public func addMoments(
        _ texts: [[UInt8]], layer: Int, cohort: String, label: String = "",
        target: MomentTarget = .cohort, assignments: [Assignments]? = nil, threads: Int = 1,
        _ options: CommitOptions, progress: ProgressReporter = { _ in }
    ) throws -> EvidenceResult {
        guard (1...1_024).contains(threads) else {
            throw CambiumError(.usage, "\(threads) threads; give 1 to 1024")
        }
        guard target == .cohort || cohort == Cohort.base else {
            throw CambiumError(
                .usage,
                "picks are of the cohort '\(Cohort.base)'; '\(cohort)' has no router that runs")
        }
        if let assignments {
            guard target == .experts, assignments.count == texts.count else {
                throw CambiumError(
                    .usage,
                    "\(assignments.count) files of assigned experts for \(texts.count) texts; give one for "
                        + "each text, with the target 'experts'")
            }
        }
        let place = try CommitTarget(options, self)
        let parent = try place.model().parent
        let snapshot = try map(parent.hex)
        let model = try model(parent.hex, .checking).model.base
        let reader = try MomentReader(
            snapshot, model, layer: layer, target: target, ThreadTeam(count: threads))
        let known = try snapshot.evidence()
        try check(known, reader.source, place.branch)
        func name(_ index: Int) -> String { texts.count == 1 ? "the text" : "text \(index + 1)" }
        // All that can be seen without running the model, before it runs.
        for (index, assigned) in (assignments ?? []).enumerated() {
            try assigned.check(texts[index], name(index), experts: reader.expertCount)
        }
        var records: [NamedContribution] = []
        for (index, text) in texts.enumerated() {
            let record = try reader.record(
                text, name(index), cohort, label, assigned: assignments?[index], progress)
            let id = try ObjectID(ofFile: record.encoded)
            if target == .experts { try checkPicks(record, known + records, name(index)) }
            if !records.contains(where: { $0.id == id }) { records.append((id, .moments(record))) }
        }
        // The states are those of this very model.
        var options = options
        options.expectedParent = parent.hex
        return try change(options) { draft, known in
            for entry in records { _ = try draft.add(entry.record) }
            return records.filter { new in !known.contains { $0.id == new.id } }
        }
    }

    /// Refuses to add to moments of the layer that were made otherwise.
    private func check(
        _ records: [NamedContribution], _ source: MomentContribution.Source, _ branch: String
    ) throws {
        for entry in records {
            guard case .moments(let record) = entry.record, record.source.layer == source.layer
            else { continue }
            try record.checkQuantiser(source, entry.id, "branch '\(branch)'")
            guard record.source.trunk != source.trunk else { continue }
            throw CambiumError(
                .usage,
                "branch '\(branch)' has moments of layer \(source.layer) over another trunk "
                    + "(\(entry.id.short), of cohort '\(record.cohort)'): its dense weights changed since, "
                    + "and sums over different features cannot be added; drop them first: cambium "
                    + "evidence drop \(entry.id.short)")
        }
    }

    /// Refuses picks for a text that has others already: only one of the two would count.
    private func checkPicks(
        _ new: MomentContribution, _ records: [NamedContribution], _ what: String
    ) throws {
        for entry in records {
            guard case .moments(let record) = entry.record, record.source == new.source,
                record.cohort == new.cohort, record.data == new.data,
                record.fitted != new.fitted || record.heldOut != new.heldOut
            else { continue }
            throw CambiumError(
                .usage,
                "\(what) has other picks of layer \(new.source.layer) already, in evidence "
                    + "\(entry.id.short), and a text counts once; drop them first: cambium evidence drop "
                    + "\(entry.id.short)")
        }
    }
}

/// Makes records of texts, with the trunk of one snapshot.
struct MomentReader {
    let source: MomentContribution.Source
    private let inputs: RouterInputs
    private let target: MomentTarget

    init(
        _ snapshot: MappedSnapshot, _ model: LanguageModel, layer: Int, target: MomentTarget,
        _ team: ThreadTeam
    ) throws {
        let config = try snapshot.peerConfig("reads what routers read of")
        inputs = try RouterInputs(model, layer: layer, team: team)
        self.target = target
        source = try Self.source(snapshot, config, inputs, layer, target)
    }

    /// Where moments of a snapshot's layer come from.
    static func source(
        _ snapshot: MappedSnapshot, _ config: PeerConfig, _ inputs: RouterInputs, _ layer: Int,
        _ target: MomentTarget
    ) throws -> MomentContribution.Source {
        let trunk = try TrunkIdentity.id(of: snapshot.tree, config, layer: layer)
        let experts: [UInt32] =
            if let peer = config.peer {
                [UInt32(peer.subKeys), UInt32(peer.subKeys)]
            } else if let last = config.tree?.branching.last {
                [UInt32(config.expertCount / last), UInt32(last)]
            } else {
                [1, UInt32(clamping: max(config.expertCount, 1))]
            }
        return try counted(.usage) {
            try MomentContribution.Source(
                layer: UInt32(layer), trunk: trunk.bytes,
                quantiser: Quantiser(normWeights: inputs.normWeights),
                digits: target == .cohort ? [1] : experts)
        }
    }

    /// Experts of the layer.
    var expertCount: Int { source.digits.reduce(1) { $0 * Int($1) } }

    /// The integer features of each window of a text.
    ///
    /// - Parameter body: Given the window's number, its features and its states.
    func windows(
        _ text: [UInt8], _ body: (Int, [Int16], [Float]) throws -> Void
    ) throws {
        for (index, start) in stride(from: 0, to: text.count, by: inputs.windowLength).enumerated()
        {
            let window = text[start..<min(start + inputs.windowLength, text.count)].map { Int($0) }
            let states = try inputs.states(of: window[...])
            try counted(.usage) {
                let features = try source.quantiser.features(states.span)
                try body(index, features, states)
            }
        }
    }

    func record(
        _ text: [UInt8], _ what: String, _ cohort: String, _ label: String,
        assigned: Assignments?, _ progress: ProgressReporter
    ) throws -> MomentContribution {
        guard !text.isEmpty else { throw CambiumError(.usage, "\(what) has no bytes") }
        var (fitted, heldOut) = (source.nothing, source.nothing)
        let count = (text.count + inputs.windowLength - 1) / inputs.windowLength
        try progress(Progress("windows", 0, count))
        try windows(text) { index, features, states in
            let isHeldOut = index % 4 == MomentContribution.heldOutRest
            var part = isHeldOut ? heldOut : fitted
            switch target {
            case .cohort:
                let zeros = [UInt32](repeating: 0, count: features.count / inputs.width)
                try part.add(features.span, labels: [zeros])
            case .experts:
                let (experts, perToken) = targets(index, states, assigned)
                try part.add(
                    features.span, experts: experts, second: source.digits[1], perToken: perToken)
            }
            if isHeldOut { heldOut = part } else { fitted = part }
            try progress(Progress("windows", index + 1, count))
        }
        let data = try ObjectID(ofFile: text).bytes
        let parts = (fitted, heldOut)
        return try counted(.usage) {
            try MomentContribution(
                cohort: cohort, label: label, data: data, byteCount: UInt64(text.count),
                source: source, fitted: parts.0, heldOut: parts.1)
        }
    }

    /// The experts that a window's bytes should pick: [bytes, perToken].
    func targets(
        _ window: Int, _ states: [Float], _ assigned: Assignments?
    ) -> (experts: [UInt32], perToken: Int) {
        guard let assigned else { return (inputs.firstPicks(states), inputs.picksPerToken) }
        let start = window * inputs.windowLength
        return (Array(assigned.experts[start..<start + states.count / inputs.width]), 1)
    }
}
