internal import Tensors

/// A table as numbers of a state of training: which rows are there, in the order in which they came, as
/// halves that floats hold exactly; the rows; and their sums.
extension RowTable {
    private static let half: UInt32 = 1 << 16

    var numbers: [[Float]] {
        let ids = ids
        return [
            ids.flatMap { [Float($0 / Self.half), Float($0 % Self.half)] },
            ids.flatMap { self[$0] ?? [] }, ids.map(sum(of:)),
        ]
    }

    /// Whether numbers are those of such a table.
    func accepts(_ numbers: [[Float]]) -> Bool {
        guard numbers.count == 3, numbers[0].count == 2 * numbers[2].count,
            numbers[1].count == width * numbers[2].count,
            numbers[0].allSatisfy({ $0 >= 0 && $0 < Float(Self.half) && $0 == $0.rounded() })
        else { return false }
        return Self.ids(numbers[0]).allSatisfy { Int($0) < count }
    }

    /// Takes over numbers that the table accepts.
    func restore(_ numbers: [[Float]]) {
        for (index, id) in Self.ids(numbers[0]).enumerated() {
            set(
                id, Array(numbers[1][index * width..<(index + 1) * width]), sum: numbers[2][index])
        }
    }

    private static func ids(_ halves: [Float]) -> [UInt32] {
        stride(from: 0, to: halves.count, by: 2).map {
            UInt32(halves[$0]) * half + UInt32(halves[$0 + 1])
        }
    }
}
