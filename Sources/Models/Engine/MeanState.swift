internal import Architectures
internal import Elements
internal import Tensors

extension LanguageModel {
    /// The mean over a text's tokens of the states behind the last layer, normalised as the head reads them.
    ///
    /// - Parameter goesOn: Asked before each block of tokens.
    /// - Throws: `.badInput` without tokens or for one that the vocabulary lacks; `.contextFull` if they do not fit;
    ///   `.cancelled` when it is not to go on; `.notFinite` if the model computes NaN or infinity; what reading an expert
    ///   throws.
    package func meanState(
        _ tokens: [Int], threads: Int, goesOn: () -> Bool
    ) throws -> [Float] {
        try description.check(tokens, after: 0)
        let pass = ForwardPass(self, team: try team(threads))
        let session = Session(self, pass: pass)
        let width = description.hiddenSize
        var sum = [Double](repeating: 0, count: width)
        for start in stride(from: 0, to: tokens.count, by: Session.blockSize) {
            guard goesOn() else { throw CambiumError(.cancelled, "nobody waits for it any more") }
            let block = tokens[start..<min(start + Session.blockSize, tokens.count)]
            try pass.run([ForwardPass.Segment(session: session, tokens: block, start: 0)])
            session.advance(block)
            let states = pass.finalStates(0..<block.count)
            for index in states.indices { sum[index % width] += Double(states[index]) }
        }
        let mean = sum.map { Float($0 / Double(tokens.count)) }
        guard mean.allSatisfy(\.isFinite) else {
            throw CambiumError(.notFinite, "the mean state has numbers that are NaN or infinite")
        }
        return mean
    }
}
