internal import Tensors

/// Keys and values of one layer of a text, in memory that grows with the text.
final class KeyValueCache {
    /// Positions that the first growth makes room for.
    private static let firstCapacity = 128

    private let keyWidth: Int
    private let valueWidth: Int
    /// [capacity / 16, keyWidth, 16]: one column per position.
    private var keys = FloatBuffer(count: 0)
    /// [capacity, valueWidth].
    private var values = FloatBuffer(count: 0)
    /// Positions that there is room for, a multiple of 16.
    private(set) var capacity = 0

    init(_ shape: AttentionShape) {
        keyWidth = shape.keyWidth
        valueWidth = shape.valueWidth
    }

    /// Writes the keys and values of adjacent positions.
    ///
    /// - Parameters:
    ///   - newKeys: [positions, keyWidth].
    ///   - newValues: [positions, valueWidth].
    ///   - first: The first of them; all before it are kept.
    func store(_ newKeys: Span<Float>, _ newValues: Span<Float>, at first: Int) {
        let end = first + newKeys.count / keyWidth
        if end > capacity { grow(to: end, keeping: first) }
        let (keyWidth, valueWidth, capacity) = (keyWidth, valueWidth, capacity)
        change { keys, values in
            var columns = keys.mutableSpan(0..<keys.count)
            Kernels.storeKeys(
                newKeys, width: keyWidth, first: first, capacity: capacity, into: &columns)
            var rows = values.mutableSpan(first * valueWidth..<end * valueWidth)
            for index in newValues.indices { rows[index] = newValues[index] }
        }
    }

    func read(_ body: (_ keys: borrowing FloatBuffer, _ values: borrowing FloatBuffer) -> Void) {
        body(keys, values)
    }

    // Spans of a class's properties cannot be had; those of parameters can.
    private func change(_ body: (inout FloatBuffer, inout FloatBuffer) -> Void) {
        body(&keys, &values)
    }

    private func grow(to needed: Int, keeping kept: Int) {
        let wanted = max(needed, 2 * capacity, Self.firstCapacity)
        let larger = (wanted + 15) / 16 * 16
        var newKeys = FloatBuffer(count: keyWidth * larger)
        var newValues = FloatBuffer(count: valueWidth * larger)
        copy(keys, 0..<(kept + 15) / 16 * 16 * keyWidth, of: &newKeys)
        copy(values, 0..<kept * valueWidth, of: &newValues)
        keys = newKeys
        values = newValues
        capacity = larger
    }
}

private func copy(
    _ source: borrowing FloatBuffer, _ range: Range<Int>, of target: inout FloatBuffer
) {
    let from = source.span(range)
    var to = target.mutableSpan(range)
    for index in from.indices { to[index] = from[index] }
}
