package import Tensors

/// The gradient of one expert layer's rows, of the experts that a batch picked alone.
package struct ExpertGradient {
    /// Ascending.
    package let experts: [UInt32]
    /// [experts, 2, width].
    package let rows: FloatSlice

    /// Sums over the picks in their order, part by part, so that the bits do not depend on threads.
    ///
    /// - Parameters:
    ///   - passes: Of one layer, behind their way back, one for each part of the batch.
    ///   - count: Experts of the layer.
    init(_ passes: [ExpertPass], count: Int, team: ThreadTeam) {
        let width = passes[0].width
        let sorted = passes.map { PicksByExpert($0.picks?.ids ?? [], count: count) }
        var experts: [UInt32] = []
        for expert in 0..<count
        where sorted.contains(where: { !$0.range(expert).isEmpty }) {
            experts.append(UInt32(expert))
        }
        let memory = FloatMemory(count: experts.count * 2 * width)
        let block = 64
        team.forEach((experts.count + block - 1) / block) { [experts] part in
            for index in part * block..<min((part + 1) * block, experts.count) {
                let row = memory[index * 2 * width..<(index + 1) * 2 * width]
                for (pass, order) in zip(passes, sorted) {
                    let range = order.range(Int(experts[index]))
                    if range.isEmpty { continue }
                    pass.picks?.addRowGradient(
                        of: order.order.span.extracting(range), x: pass.input,
                        dout: pass.outputGradient, width: width, into: row)
                }
            }
        }
        self.experts = experts
        rows = memory.slice
    }
}

/// The positions of picks, sorted by expert; those of one expert in their order.
private struct PicksByExpert: Sendable {
    let order: [UInt32]
    /// [experts + 1].
    private let starts: [Int32]

    init(_ ids: [UInt32], count: Int) {
        var starts = [Int32](repeating: 0, count: count + 1)
        for id in ids { starts[Int(id) + 1] += 1 }
        for expert in 0..<count { starts[expert + 1] += starts[expert] }
        var next = starts
        var order = [UInt32](repeating: 0, count: ids.count)
        for (position, id) in ids.enumerated() {
            order[Int(next[Int(id)])] = UInt32(position)
            next[Int(id)] += 1
        }
        self.order = order
        self.starts = starts
    }

    func range(_ expert: Int) -> Range<Int> { Int(starts[expert])..<Int(starts[expert + 1]) }
}
