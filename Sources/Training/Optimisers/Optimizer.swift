internal import Architectures
internal import Elements
internal import Models
internal import Tensors

/// AdamW over what a run trains: dense for the parameters, row-sparse for experts, whose rows and
/// moments stay untouched while no token of a batch picks them.
///
/// Experts may follow plain gradient descent instead (``ExpertRule``).
final class Optimizer {
    private let parameters: any TrainedParameters
    private let settings: TrainingSettings
    private let first, second: FloatMemory
    private let expertFirst, expertSecond: [FloatMemory]
    private var step = 0

    init(_ parameters: any TrainedParameters, _ settings: TrainingSettings) {
        self.parameters = parameters
        self.settings = settings
        first = FloatMemory(count: parameters.values.count)
        second = FloatMemory(count: parameters.values.count)
        let needsGramSums = parameters.trainsExperts && settings.expertRule == .adam
        let experts = needsGramSums ? parameters.model.experts : []
        expertFirst = experts.map { FloatMemory(count: $0.count) }
        expertSecond = experts.map { FloatMemory(count: $0.count) }
    }

    /// Everything that the next update depends on, table by table.
    private var tables: [FloatSlice] {
        var tables = [parameters.values.slice, first.slice, second.slice]
        if parameters.trainsExperts {
            for (slot, table) in parameters.model.experts.enumerated() {
                tables.append(table.slice)
                guard settings.expertRule == .adam else { continue }
                tables += [expertFirst[slot].slice, expertSecond[slot].slice]
            }
        }
        return tables
    }

    /// A copy of it: of hashed experts, three tables for each layer behind all others.
    var numbers: [[Float]] {
        tables.map(\.array) + parameters.trainedRows.flatMap(\.numbers)
    }

    /// Goes on from a copy.
    ///
    /// - Throws: `.usage` when it is of another run.
    func restore(_ numbers: [[Float]], step: Int) throws {
        let tables = tables
        let rows = parameters.trainedRows
        let saved = numbers.dropFirst(tables.count)
        guard numbers.count == tables.count + 3 * rows.count,
            zip(numbers, tables).allSatisfy({ $0.count == $1.count }),
            zip(rows.indices, rows).allSatisfy({ slot, table in
                table.accepts(Array(saved.dropFirst(3 * slot).prefix(3)))
            })
        else {
            throw CambiumError(
                .usage, "the saved state is of another model: its tables have other sizes")
        }
        for (table, saved) in zip(tables, numbers) { table.copy(saved) }
        for (slot, table) in rows.enumerated() {
            table.restore(Array(saved.dropFirst(3 * slot).prefix(3)))
        }
        self.step = step
        parameters.apply()
    }

    /// - Parameters:
    ///   - gradient: Of `values`.
    ///   - experts: Of each expert layer, when experts are trained.
    ///   - rate: 0…1 of the peak rate.
    /// - Returns: The global norm before clipping.
    func update(
        gradient: FloatSlice, experts: [ExpertGradient], rate: Float, team: ThreadTeam
    ) -> Double {
        step += 1
        var square = 0.0
        for segment in parameters.segments {
            square += TrainingKernels.squareSum(gradient[segment.range])
        }
        for expert in experts { square += TrainingKernels.squareSum(expert.rows) }
        let norm = square.squareRoot()
        let scale = norm > Double(settings.clip) ? Float(Double(settings.clip) / norm) : 1
        var rule = AdamStep(
            step: step, scale: scale, rate: settings.rate * rate, beta1: 0.9, beta2: 0.98,
            epsilon: 1e-8, decay: 0)
        for segment in parameters.segments {
            rule.decay = segment.decays ? settings.decay : 0
            TrainingKernels.adam(
                parameters.values[segment.range], gradient: gradient[segment.range],
                m: first[segment.range], v: second[segment.range], rule: rule)
        }
        rule.decay = 0
        for (slot, expert) in experts.enumerated() {
            if case .descent(let peak) = settings.expertRule {
                descend(slot, expert, peak * rate * scale, team)
            } else {
                update(slot, expert, rule, team)
            }
        }
        return norm
    }

    private func descend(
        _ slot: Int, _ gradient: ExpertGradient, _ rate: Float, _ team: ThreadTeam
    ) {
        let size = 2 * parameters.model.config.hiddenSize
        let table = parameters.model.experts[slot]
        forEachExpert(gradient, team) { index, expert in
            table[expert * size..<(expert + 1) * size].add(
                gradient.rows[index * size..<(index + 1) * size], times: -rate)
        }
    }

    private func update(
        _ slot: Int, _ gradient: ExpertGradient, _ rule: AdamStep, _ team: ThreadTeam
    ) {
        let size = 2 * parameters.model.config.hiddenSize
        let (table, m, v) = (parameters.model.experts[slot], expertFirst[slot], expertSecond[slot])
        forEachExpert(gradient, team) { index, expert in
            let range = expert * size..<(expert + 1) * size
            TrainingKernels.adam(
                table[range], gradient: gradient.rows[index * size..<(index + 1) * size],
                m: m[range], v: v[range], rule: rule)
        }
    }

    /// Calls `body` with the place of each expert among those picked, and the expert.
    private func forEachExpert(
        _ gradient: ExpertGradient, _ team: ThreadTeam, _ body: @Sendable (Int, Int) -> Void
    ) {
        let (experts, block) = (gradient.experts, 128)
        team.forEach((experts.count + block - 1) / block) { part in
            for index in part * block..<min((part + 1) * block, experts.count) {
                body(index, Int(experts[index]))
            }
        }
    }
}
