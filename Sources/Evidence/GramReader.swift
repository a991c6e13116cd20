internal import Architectures
package import Elements
internal import Models
package import Objects
package import Routing
package import Snapshots
package import Tensors

/// Makes records of texts, with the trunk of one snapshot.
package struct GramReader {
    /// Vectors of a byte: the picks of a head share them by their routing weights.
    fileprivate static let vectorsPerByte = 16

    package let source: GramContribution.Source
    private let inputs: RouterInputs
    private let isOfExperts: Bool

    /// - Parameters:
    ///   - isOfExperts: Whether what is counted are picks of the layer's experts, not texts of adapters.
    ///   - assigned: Whether a byte has one expert that is given, not those that the heads of the layer's router pick.
    package init(
        _ snapshot: MappedSnapshot, layer: Int, ofExperts isOfExperts: Bool,
        assigned: Bool = false, _ team: ThreadTeam
    ) throws {
        // What is made of it is kept.
        let model = try SnapshotModel(snapshot, checks: true).model.base
        let config = try snapshot.peerConfig("reads what routers read of")
        inputs = try RouterInputs(model, layer: layer, team: team)
        self.isOfExperts = isOfExperts
        source = try Self.source(
            snapshot, config, inputs, layer,
            heads: isOfExperts ? assigned ? 1 : inputs.picksPerToken : 0)
    }

    /// Where Gram sums of a snapshot's layer come from.
    ///
    /// - Parameter heads: Whose picks are counted apart; 0 for texts of adapters.
    private static func source(
        _ snapshot: MappedSnapshot, _ config: PeerConfig, _ inputs: RouterInputs, _ layer: Int,
        heads: Int
    ) throws -> GramContribution.Source {
        guard heads <= PeerConfig.Solved.mostHeads else {
            throw CambiumError(
                .unsupported,
                "the router of layer \(layer) has \(heads) heads; picks of at most "
                    + "\(PeerConfig.Solved.mostHeads) are counted: assign experts (--assignments)")
        }
        let trunk = try TrunkIdentity.id(of: snapshot.tree, config, layer: layer)
        return try counted(.usage) {
            try GramContribution.Source(
                layer: UInt32(layer), trunk: trunk.bytes,
                quantiser: Quantiser(normWeights: inputs.normWeights),
                digits: heads > 0
                    ? (0..<heads).flatMap { _ in config.digits } : [1])
        }
    }

    /// Experts of the layer.
    package var expertCount: Int { source.expertCount }

    /// The integer features of each window of a text.
    ///
    /// - Parameter body: Given the window's number, its features and its states.
    package func windows(_ text: [UInt8], _ body: (Int, [Int16], [Float]) throws -> Void) throws {
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

    package func record(
        _ text: [UInt8], _ what: String, _ adapter: String, _ label: String,
        assigned: [UInt32]?, _ progress: ProgressReporter
    ) throws -> GramContribution {
        guard !text.isEmpty else { throw CambiumError(.usage, "\(what) has no bytes") }
        var (fitted, heldOut) = (source.nothing, source.nothing)
        let count = (text.count + inputs.windowLength - 1) / inputs.windowLength
        try progress(Progress("windows", 0, count))
        try windows(text) { index, features, states in
            let isHeldOut = index % 4 == GramContribution.heldOutRest
            var part = isHeldOut ? heldOut : fitted
            if isOfExperts {
                try part.add(
                    features.span, labels: labels(index, states, assigned),
                    perToken: Self.vectorsPerByte)
            } else {
                let zeros = [UInt32](repeating: 0, count: features.count / inputs.width)
                try part.add(features.span, labels: [zeros])
            }
            if isHeldOut { heldOut = part } else { fitted = part }
            try progress(Progress("windows", index + 1, count))
        }
        let data = try ObjectID(ofFile: text).bytes
        let parts = (fitted, heldOut)
        return try counted(.usage) {
            try GramContribution(
                adapter: adapter, label: label, data: data, byteCount: UInt64(text.count),
                source: source, fitted: parts.0, heldOut: parts.1)
        }
    }

    /// The digits that a window's bytes count for, of each head the high and the low one: [bytes, vectors].
    private func labels(
        _ window: Int, _ states: [Float], _ assigned: [UInt32]?
    ) -> [[UInt32]] {
        let (count, heads, second) = (Self.vectorsPerByte, source.heads, source.digits[1])
        let experts =
            assigned == nil
            ? inputs.selections(states, count: count)
            : targets(window, states, assigned).flatMap { repeatElement($0, count: count) }
        return (0..<heads).flatMap { head in
            let own = stride(from: head * count, to: experts.count, by: heads * count)
                .flatMap { experts[$0..<$0 + count] }
            return [own.map { $0 / second }, own.map { $0 % second }]
        }
    }

    /// The experts that a window's bytes should pick first: [bytes, heads].
    package func targets(
        _ window: Int, _ states: [Float], _ assigned: [UInt32]?
    ) -> [UInt32] {
        guard let assigned else { return inputs.firstSelections(states) }
        let start = window * inputs.windowLength
        return Array(assigned[start..<start + states.count / inputs.width])
    }
}

extension GramContribution {
    /// Refuses picks that count a byte otherwise than others: those of earlier versions count one for each, or one for
    /// each head, and would weigh less.
    ///
    /// - Throws: `usage`.
    func checkVectors(_ count: Int64, _ id: ObjectID, _ others: String) throws {
        guard vectorsPerByte != count else { return }
        throw CambiumError(
            .usage,
            "evidence \(id.short) of layer \(source.layer) does not count as many picks of each byte (\(vectorsPerByte)), "
                + "as an earlier version did, as \(others) (\(count)): they cannot be added; drop it (cambium evidence drop "
                + "\(id.short)) and add its text again")
    }
}

extension PeerConfig {
    /// Values of the high and the low digit that evidence of picks has; of trees and linear routers the low one is the
    /// expert.
    var digits: [UInt32] {
        guard let peer else { return [1, UInt32(clamping: max(expertCount, 1))] }
        return [UInt32(peer.subKeys), UInt32(peer.subKeys)]
    }
}

extension [NamedContribution] {
    /// Those of Gram sums of a layer, for the adapters' gate or of picks of its experts.
    package func gramSums(layer: Int, ofExperts: Bool) -> [(id: ObjectID, record: GramContribution)]
    {
        compactMap { entry in
            guard case .gramSums(let record) = entry.record, Int(record.source.layer) == layer,
                record.source.isOfExperts == ofExperts
            else { return nil }
            return (entry.id, record)
        }
    }

    /// Refuses to add to Gram sums of the layer that were made otherwise.
    package func check(_ source: GramContribution.Source, _ branch: String) throws {
        for entry in self {
            guard case .gramSums(let record) = entry.record, record.source.layer == source.layer
            else { continue }
            try record.checkQuantiser(source, entry.id, "branch '\(branch)'")
            if record.source.isOfExperts, source.isOfExperts, record.source.digits != source.digits
            {
                throw CambiumError(
                    .usage,
                    "branch '\(branch)' has picks of \(record.source.words) of layer \(source.layer) "
                        + "(\(entry.id.short)), and these are of \(source.words): they cannot be added; "
                        + "drop them first: cambium evidence drop \(entry.id.short)")
            }
            if record.source.isOfExperts, source.isOfExperts {
                try record.checkVectors(
                    Int64(GramReader.vectorsPerByte), entry.id, "what is added")
            }
            guard record.source.trunk != source.trunk else { continue }
            throw CambiumError(
                .usage,
                "branch '\(branch)' has Gram sums of layer \(source.layer) over another trunk "
                    + "(\(entry.id.short), of adapter '\(record.adapter)'): its dense weights changed since, "
                    + "and sums over different features cannot be added; drop them first: cambium "
                    + "evidence drop \(entry.id.short)")
        }
    }

    /// Refuses picks for a text that has others already: only one of the two would count.
    package func checkPicks(_ new: GramContribution, _ what: String) throws {
        for entry in self {
            guard case .gramSums(let record) = entry.record, record.source == new.source,
                record.adapter == new.adapter, record.data == new.data,
                record.fitted != new.fitted || record.heldOut != new.heldOut
            else { continue }
            throw CambiumError(
                .usage,
                "\(what) has other picks of layer \(new.source.layer) already, in evidence "
                    + "\(entry.id.short), and a text counts once; drop them first: cambium evidence drop "
                    + "\(entry.id.short)")
        }
    }

    /// Gram sums are added up when a router is asked for; that it can be done is seen to before.
    package func checkSums() throws {
        let gramSums = gramSums
        for source in Set(gramSums.map(\.source)) {
            let same = gramSums.filter { $0.source == source }
            try counted(.usage) {
                if !source.isOfExperts {
                    _ = try UnitedGramSums(adapters: same)
                } else {
                    for adapter in Set(same.map(\.adapter)) {
                        _ = try UnitedGramSums(selection: same.filter { $0.adapter == adapter })
                    }
                }
            }
        }
    }
}
