internal import Elements
internal import Snapshots

/// The sides of a conflict as numbers, in an order that depends on their bytes alone.
///
/// Sums over the sides run in this order, so that a policy's result does not depend on who is called the
/// target and who the branch.
struct ConflictSides {
    /// One side.
    struct Side {
        /// Its index in the merge.
        let index: Int
        let bytes: [UInt8]
        let values: [Double]
    }

    let sides: [Side]
    private let parts: [TensorShape]

    /// - Parameter rank: What decides between sides of equal bytes: all that a side has besides them and that
    ///   the policy's sums depend on.
    /// - Returns: Nil for what has no arithmetic: removals, texts, integers and narrow floats.
    init?(_ values: [ConflictValue], _ parts: [TensorShape], rank: (Side) -> [Double] = { _ in [] })
    {
        guard !parts.isEmpty, !values.isEmpty else { return nil }
        var sides: [Side] = []
        for value in values {
            guard let bytes = value.bytes, let numbers = FloatCode.decode(bytes, parts) else {
                return nil
            }
            sides.append(Side(index: value.side, bytes: bytes, values: numbers))
        }
        self.sides = sides.sorted { left, right in
            left.bytes == right.bytes
                ? rank(left).lexicographicallyPrecedes(rank(right))
                : left.bytes.lexicographicallyPrecedes(right.bytes)
        }
        self.parts = parts
    }

    /// Elements of a side.
    var count: Int { sides[0].values.count }

    /// A value made of the base and the sides' differences from it, element by element; nil where there is no
    /// arithmetic, no base, or a difference or sum that is not finite in the stored type.
    static func merged(
        _ values: [ConflictValue], _ parts: [TensorShape], onto base: [UInt8]?,
        trimming: ([Double]) -> [Double] = { $0 },
        _ change: (_ deltas: [[Double]], _ element: Int) -> Double?
    ) -> ConflictValue? {
        guard let sides = ConflictSides(values, parts),
            let (before, deltas) = sides.differences(from: base)
        else { return nil }
        let kept = deltas.map(trimming)
        // An element that does not change keeps its bits, the sign of a zero too.
        let made = sides.made(
            before.indices.map { element in
                change(kept, element).map { before[element] + $0 } ?? before[element]
            })
        guard let bytes = made?.bytes,
            FloatCode.decode(bytes, parts)?.allSatisfy(\.isFinite) == true
        else { return nil }
        return made
    }

    /// Each side's difference from the base; nil without a base, or when one is not finite.
    private func differences(from base: [UInt8]?) -> (base: [Double], deltas: [[Double]])? {
        guard let base, let before = FloatCode.decode(base, parts), before.count == count else {
            return nil
        }
        var deltas: [[Double]] = []
        for side in sides {
            let delta = zip(side.values, before).map { $0 - $1 }
            guard delta.allSatisfy(\.isFinite) else { return nil }
            deltas.append(delta)
        }
        return (before, deltas)
    }

    /// A new value of the entity, rounded once to its stored types.
    func made(_ values: [Double]) -> ConflictValue? {
        FloatCode.encode(values, parts).map { ConflictValue(side: sides[0].index, bytes: $0) }
    }
}
