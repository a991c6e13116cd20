internal import Architectures
internal import Tensors

extension LanguageModel {
    /// By layer with experts: about how large what its router reads is, feature by feature [hidden], which the model
    /// alone tells.
    ///
    /// What a root-mean-square norm gives has a mean square of 1 before its weights. Where norms follow, a router reads
    /// the sum of a row of the embedding and what the norms below gave, as if they were independent.
    var routerInputScales: [Int: [Float]] {
        var scales: [Int: [Float]] = [:]
        guard description.normsFollow else {
            for (number, layer) in layers.enumerated() {
                scales[number] = layer.experts?.norm.scales
            }
            return scales
        }
        var squares = [Double](repeating: 0, count: description.hiddenSize)
        func add(_ row: [Float], _ share: Double) {
            for index in row.indices { squares[index] += share * Double(row[index] * row[index]) }
        }
        var row = [Float](repeating: 0, count: description.hiddenSize)
        for token in 0..<embedding.rows {
            var span = row.mutableSpan
            embedding.copyRow(token, into: &span)
            add(row, 1 / Double(embedding.rows))
        }
        for (number, layer) in layers.enumerated() {
            add(layer.attentionNorm.scales, 1)
            for block in layer.blocks {
                if case .experts = block.feedForward {
                    scales[number] = squares.map { Float($0.squareRoot()) }
                }
                add(block.norm.scales, 1)
            }
        }
        return scales
    }
}
