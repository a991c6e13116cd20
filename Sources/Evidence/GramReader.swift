internal import Architectures
package import Elements
internal import Models
internal import Objects
package import Routing
package import Snapshots
package import Tensors

/// Makes records of texts, with the trunk of one snapshot.
package struct GramReader {
    package let source: GramContribution.Source
    private let inputs: RouterInputs
    private let isOfExperts: Bool

    /// - Parameter isOfExperts: Whether what is counted are picks of the layer's experts, not texts of adapters.
    package init(
        _ snapshot: MappedSnapshot, layer: Int, ofExperts isOfExperts: Bool, _ team: ThreadTeam
    ) throws {
        // What is made of it is kept.
        let model = try SnapshotModel(snapshot, checks: true).model.base
        let config = try snapshot.peerConfig("reads what routers read of")
        inputs = try RouterInputs(model, layer: layer, team: team)
        self.isOfExperts = isOfExperts
        source = try Self.source(snapshot, config, inputs, layer, isOfExperts)
    }

    /// Where Gram sums of a snapshot's layer come from.
    private static func source(
        _ snapshot: MappedSnapshot, _ config: PeerConfig, _ inputs: RouterInputs, _ layer: Int,
        _ isOfExperts: Bool
    ) throws -> GramContribution.Source {
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
            try GramContribution.Source(
                layer: UInt32(layer), trunk: trunk.bytes,
                quantiser: Quantiser(normWeights: inputs.normWeights),
                digits: isOfExperts ? experts : [1])
        }
    }

    /// Experts of the layer.
    package var expertCount: Int { source.digits.reduce(1) { $0 * Int($1) } }

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
                let (experts, perToken) = targets(index, states, assigned)
                try part.add(
                    features.span, experts: experts, second: source.digits[1], perToken: perToken)
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

    /// The experts that a window's bytes should pick: [bytes, perToken].
    package func targets(
        _ window: Int, _ states: [Float], _ assigned: [UInt32]?
    ) -> (experts: [UInt32], perToken: Int) {
        guard let assigned else { return (inputs.firstSelections(states), inputs.picksPerToken) }
        let start = window * inputs.windowLength
        return (Array(assigned[start..<start + states.count / inputs.width]), 1)
    }
}

extension [NamedContribution] {
    /// Those of Gram sums of a layer, for the adapters' gate or of picks of its experts.
    func gramSums(layer: Int, ofExperts: Bool) -> [(id: ObjectID, record: GramContribution)] {
        compactMap { entry in
            guard case .gramSums(let record) = entry.record, Int(record.source.layer) == layer,
                (record.source.digits != [1]) == ofExperts
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
                if source.digits.count == 1 {
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
