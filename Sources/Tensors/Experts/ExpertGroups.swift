/// The picks of some tokens, expert by expert in ascending order, and of each expert token by token.
package struct ExpertGroups: Sendable {
    /// The distinct experts, ascending.
    package private(set) var experts: [UInt32] = []
    /// Of each expert its first pick, and the number of all picks.
    package private(set) var starts: [Int] = [0]
    /// Of each pick the expert.
    package private(set) var selection: [UInt32] = []
    /// Of each pick the token, from 0.
    package private(set) var tokens: [Int] = []
    /// Of each pick the weight.
    package private(set) var weights: [Float] = []

    /// - Parameters:
    ///   - selection: [tokens, perToken].
    ///   - weights: [tokens, perToken].
    package init(_ selection: Span<UInt32>, weights: Span<Float>, perToken: Int) {
        precondition(
            selection.count == weights.count && selection.count % perToken == 0,
            "\(selection.count) picks with \(weights.count) weights by \(perToken)")
        let order = selection.indices.map { UInt64(selection[$0]) << 32 | UInt64($0) }.sorted()
        self.selection.reserveCapacity(order.count)
        tokens.reserveCapacity(order.count)
        self.weights.reserveCapacity(order.count)
        for (position, entry) in order.enumerated() {
            let expert = UInt32(entry >> 32)
            let pick = Int(entry & 0xFFFF_FFFF)
            if experts.last != expert {
                if position > 0 { starts.append(position) }
                experts.append(expert)
            }
            self.selection.append(expert)
            tokens.append(pick / perToken)
            self.weights.append(weights[pick])
        }
        if !order.isEmpty { starts.append(order.count) }
    }
}
