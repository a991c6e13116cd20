extension RowForm {
    /// The bytes of a row of these elements, as near as codes come to them: of 2 bits the nearest in squares that
    /// there is, of more the largest element has the largest code, and the scale is then the best for the codes.
    ///
    /// The bytes are the same on every machine. A row of zeros, or with a scale that is none, is all zeros.
    ///
    /// - Parameter row: [width], finite.
    package func quantised(_ row: Span<Float>) -> [UInt8] {
        guard case .codes(let bits) = element else {
            preconditionFailure("rows of \(element) are not quantised")
        }
        precondition(row.count == width, "a row of \(row.count) elements for \(width)")
        let (codes, scale) = bits == 2 ? Self.ternary(row) : Self.codes(row, bits)
        var bytes = [UInt8](repeating: 0, count: byteCount)
        guard scale > 0, scale.isFinite else { return bytes }
        let perByte = 8 / bits
        let mask = UInt8(truncatingIfNeeded: (1 << bits) - 1)
        for (index, code) in codes.enumerated() {
            let shift = UInt8(index % perByte * bits)
            bytes[index / perByte] |= (UInt8(bitPattern: code) & mask) << shift
        }
        for byte in 0..<4 {
            bytes[width * bits / 8 + byte] = UInt8(
                truncatingIfNeeded: scale.bitPattern >> UInt32(8 * byte))
        }
        return bytes
    }

    /// Of all ways to set the k largest to plus or minus their mean, the one that leaves the least.
    private static func ternary(_ row: Span<Float>) -> (codes: [Int8], scale: Float) {
        var order = Array(row.indices)
        order.sort { (abs(row[$0]), $1) > (abs(row[$1]), $0) }
        var sum = 0.0
        var (best, count) = (0.0, 0)
        for (index, element) in order.enumerated() {
            sum += Double(abs(row[element]))
            // What is left is the sum of all squares less this.
            let gain = sum * sum / Double(index + 1)
            if gain > best { (best, count) = (gain, index + 1) }
        }
        guard count > 0 else { return ([], 0) }
        var codes = [Int8](repeating: 0, count: row.count)
        var total = 0.0
        for element in order.prefix(count) {
            codes[element] = row[element] < 0 ? -1 : 1
            total += Double(abs(row[element]))
        }
        return (codes, Float(total / Double(count)))
    }

    private static func codes(_ row: Span<Float>, _ bits: Int) -> (codes: [Int8], scale: Float) {
        var largest: Float = 0
        for index in row.indices { largest = max(largest, abs(row[index])) }
        let most = Double((1 << (bits - 1)) - 1)
        guard largest > 0 else { return ([], 0) }
        let step = Double(largest) / most
        var codes = [Int8](repeating: 0, count: row.count)
        var (products, squares) = (0.0, 0.0)
        for index in row.indices {
            let code = (Double(row[index]) / step).rounded(.toNearestOrEven)
            codes[index] = Int8(max(-most, min(most, code)))
            products += Double(row[index]) * Double(codes[index])
            squares += Double(codes[index]) * Double(codes[index])
        }
        return (codes, Float(products / squares))
    }
}
