package import Architectures
internal import Models
package import Routing
internal import Tensors

/// Hashed experts in front of one layer, over some windows: rows that are added to the residual, the base's
/// in the order of its n-grams, then those of an adapter.
///
/// One thread at a time runs it; several may then read it, as an ``ExpertPass``.
final class HashPass: @unchecked Sendable {
    /// The gradient of what the rows were added to, [tokens, width], behind the way back.
    let gradient: FloatSlice
    private let tables: [RowTable]

    init(_ tables: [RowTable], tokens: Int, width: Int) {
        self.tables = tables
        gradient = FloatMemory(count: tokens * width).slice
    }

    func forward(_ ids: [UInt32], perToken: Int, out: FloatSlice) {
        for table in tables { table.add(ids, perToken: perToken, to: out) }
    }

    func backward(_ dout: FloatSlice) { gradient.copy(dout) }
}

/// What a batch picked of the rows in front of each layer, and the gradient that they share.
///
/// All layers have the same hash, so their picks are the same.
struct RowGradients: Sendable {
    /// Of each layer, by row.
    let picks: [SelectionByExpert]
    let perToken: Int
    /// Of each layer: [tokens, width].
    let layers: [FloatSlice]

    /// - Parameters:
    ///   - parts: Of one step, behind their way back; nil when the model has no rows.
    ///   - held: Of each layer, or none, behind theirs.
    init?(_ parts: [ForwardBackward], _ held: [HoldRowsPass], _ config: PeerConfig) {
        guard let hash = config.hash else { return nil }
        perToken = hash.orders.count
        let own = parts.flatMap(\.rowPicks)
        let more = held.first?.picks ?? []
        // What went without its rows in this step picked none.
        let used = own.indices.filter { Int(own[$0]) < hash.expertCount }
        func selection(_ held: HoldRowsPass?) -> SelectionByExpert {
            // Rows that only held tokens pick, and that are not there, stay so.
            let kept = more.indices.filter { held?.isHeld(more[$0]) ?? false }
            return SelectionByExpert(
                used.map { own[$0] } + kept.map { more[$0] },
                positions: (used + kept.map { own.count + $0 }).map { UInt32($0) },
                count: hash.expertCount)
        }
        picks =
            held.isEmpty
            ? [SelectionByExpert](repeating: selection(nil), count: hash.layers.count)
            : held.map(selection)
        layers = hash.layers.indices.map { slot in
            let gradients =
                parts.map { $0.hashPasses[slot].gradient }
                + held.dropFirst(slot).prefix(1).map(\.gradient)
            guard gradients.count > 1 else { return gradients[0] }
            let memory = FloatMemory(count: gradients.reduce(0) { $0 + $1.count })
            var start = 0
            for gradient in gradients {
                memory[start..<start + gradient.count].copy(gradient)
                start += gradient.count
            }
            return memory.slice
        }
    }

    /// One step of Adagrad for the picked rows of each layer; the bits do not depend on threads.
    ///
    /// - Parameters:
    ///   - tables: Of each layer.
    ///   - factor: Of the rate, by layer's place and row; nil for 1.
    func descend(
        _ tables: [RowTable], rate: Float, factor: ((Int, UInt32) -> Float)?, team: ThreadTeam
    ) {
        let (perToken, block) = (perToken, 256)
        for (slot, table) in tables.enumerated() {
            let picks = picks[slot]
            table.claim(picks.experts)
            let factors = factor.map { factor in picks.experts.map { factor(slot, $0) } }
            let gradient = layers[slot]
            team.forEach((picks.experts.count + block - 1) / block) { part in
                table.descend(
                    part * block..<min((part + 1) * block, picks.experts.count),
                    of: picks.experts, order: picks.order, starts: picks.starts,
                    perToken: perToken, gradient: gradient, rate: rate, factors: factors)
            }
        }
    }
}

extension PeerConfig.Hash {
    /// What finds the rows.
    package var router: HashRouter { HashRouter(orders: orders, tableSize: tableSize) }
}
