internal import Architectures
internal import Tensors

/// Hashed experts in front of one layer that are held: what tokens of old text pick, forward and backward.
///
/// As a ``HoldPass``: `ThreadTeam.forEach` waits for all of them, which the compiler cannot see (SE-0302).
final class HoldRowsPass: @unchecked Sendable {
    private let hold: Hold
    private let tables, tablesBefore: [RowTable]
    private let perToken: Int
    private let oldOutputs: FloatSlice
    /// Of what the picked rows were added to, [tokens, width], behind `run`.
    let gradient: FloatSlice
    /// Of the last step, [tokens, orders]: those of all layers are the same.
    private(set) var picks: [UInt32] = []
    private(set) var distance = 0.0

    /// For each layer with hashed experts one, ascending; none where these are not held.
    static func all(_ hold: Hold, of model: TrainableModel) -> [HoldRowsPass] {
        guard let hash = model.config.hash, !hold.rowPicks.isEmpty else { return [] }
        return model.rows.indices.map {
            HoldRowsPass(hold, model.rows[$0], hold.model.rows[$0], hash.orders.count)
        }
    }

    private init(_ hold: Hold, _ tables: [RowTable], _ before: [RowTable], _ perToken: Int) {
        precondition(hold.rowPicks.count % perToken == 0, "\(hold.rowPicks.count) picks")
        self.hold = hold
        self.tables = tables
        tablesBefore = before
        self.perToken = perToken
        let drawn = min(hold.rowPicks.count / perToken, hold.perStep)
        func rows() -> FloatSlice { FloatMemory(count: drawn * tables[0].width).slice }
        (gradient, oldOutputs) = (rows(), rows())
    }

    /// Sets `gradient`, `picks` and `distance`.
    ///
    /// - Parameter number: Of the step, and what else the draw depends on.
    func run(draw number: UInt64) {
        picks = hold.draw(number, of: hold.rowPicks.count / perToken).flatMap {
            hold.rowPicks[$0 * perToken..<($0 + 1) * perToken]
        }
        for (tables, out) in [(tablesBefore, oldOutputs), (tables, gradient)] {
            out.fill(0)
            for table in tables { table.add(picks, perToken: perToken, to: out) }
        }
        distance = gradient.becomeGradient(from: oldOutputs, weight: hold.share * hold.output)
    }

    /// Whether a row was there before: of one that was not there is nothing to hold.
    func isHeld(_ row: UInt32) -> Bool { tablesBefore.contains { $0[row] != nil } }
}
