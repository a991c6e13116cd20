extension ExpertGrowth {
    /// A text that no row was chosen by, and what its tokens decided.
    package struct HeldText {
        /// Among all texts.
        let index: Int
        package let tokens: [Int]
        package let isOld: Bool
        /// Whether it is used for nothing but the figures.
        package let reports: Bool
        /// Of each token, in how many layers the new expert is picked; of old text, in how many the picks are others than
        /// before.
        package private(set) var layers: [Int]
        /// Where it reports: of each token but the first, minus the natural logarithm of its probability.
        package var nats: (before: [Double], after: [Double]) = ([], [])

        static func of(_ texts: [Text]) -> [HeldText] {
            texts.enumerated().filter { $0.element.use == .check || $0.element.use == .report }
                .map { index, text in
                    HeldText(
                        index: index, tokens: text.tokens, isOld: text.isOld,
                        reports: text.use == .report,
                        layers: [Int](repeating: 0, count: text.tokens.count))
                }
        }

        private init(index: Int, tokens: [Int], isOld: Bool, reports: Bool, layers: [Int]) {
            self.index = index
            self.tokens = tokens
            self.isOld = isOld
            self.reports = reports
            self.layers = layers
        }

        /// Counts one layer.
        ///
        /// - Parameters:
        ///   - added: The new expert.
        ///   - after: Its picks, [tokens, topK]; `before` those of the model that had not grown.
        mutating func add(_ added: UInt32, _ after: [UInt32], _ before: [UInt32]) {
            let topK = after.count / max(tokens.count, 1)
            for token in tokens.indices {
                let range = token * topK..<(token + 1) * topK
                let picked =
                    isOld
                    ? Set(before[range]) != Set(after[range]) : after[range].contains(added)
                layers[token] += picked ? 1 : 0
            }
        }
    }
}
