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
        let sorted = passes.map { SelectionByExpert($0.selection?.ids ?? [], count: count) }
        let experts = Self.union(sorted.map(\.experts))
        let memory = FloatMemory(count: experts.count * 2 * width)
        let block = 256
        team.forEach((experts.count + block - 1) / block) { part in
            let own = part * block..<min((part + 1) * block, experts.count)
            for (pass, selection) in zip(passes, sorted) {
                let first = selection.count(below: Int(experts[own.lowerBound]))
                let end = selection.count(below: Int(experts[own.upperBound - 1]) + 1)
                // Each one's place among all experts of the block.
                var (targets, at) = ([UInt32](), own.lowerBound)
                for expert in selection.experts[first..<end] {
                    while experts[at] != expert { at += 1 }
                    targets.append(UInt32(at))
                }
                pass.addRowGradients(
                    selection, first..<end, to: memory.slice, at: targets, scale: 1)
            }
        }
        self.experts = experts
        rows = memory.slice
    }

    private init(experts: [UInt32], rows: FloatSlice) {
        self.experts = experts
        self.rows = rows
    }

    /// The gradient of some experts alone.
    func only(_ wanted: Set<UInt32>) -> ExpertGradient {
        guard !experts.isEmpty else { return self }
        let size = rows.count / experts.count
        let places = experts.indices.filter { wanted.contains(experts[$0]) }
        let memory = FloatMemory(count: places.count * size)
        for (index, place) in places.enumerated() {
            memory[index * size..<(index + 1) * size].copy(rows[place * size..<(place + 1) * size])
        }
        return ExpertGradient(experts: places.map { experts[$0] }, rows: memory.slice)
    }

    /// What is in any of some ascending lists, ascending.
    private static func union(_ lists: [[UInt32]]) -> [UInt32] {
        guard var result = lists.first else { return [] }
        for list in lists.dropFirst() {
            var (merged, a, b): ([UInt32], Int, Int) = ([], 0, 0)
            merged.reserveCapacity(result.count + list.count)
            while a < result.count || b < list.count {
                let next =
                    b == list.count || (a < result.count && result[a] <= list[b])
                    ? result[a] : list[b]
                if a < result.count, result[a] == next { a += 1 }
                if b < list.count, list[b] == next { b += 1 }
                merged.append(next)
            }
            result = merged
        }
        return result
    }
}
