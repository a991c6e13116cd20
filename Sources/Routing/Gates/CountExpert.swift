/// An expert that is nothing but counts: what followed the last bytes of a text in the texts of a class,
/// and a share for the model that runs beside it where that says little.
///
/// **Prediction.** With n, d and a as in ``CountGate``, and p the model's probability of a byte: from q = 1 / 256
/// below all contexts, each context c from the empty one up to `order` - 1 bytes takes
/// q(b | c) = (n(c b) + a d(c) r) / (n(c) + a d(c)) with r = (1 - m) q(b | c') + m p(b), and q = r where c was
/// never seen. It is the back-off of Witten and Bell (1991) in which a share m of what a context leaves open
/// goes to the model. The result is linear in the model: q(b) = A(b) + B p(b) with one B for all bytes.
///
/// Counts are sums: experts of two branches merge by adding, exactly, and in any order.
package struct CountExpert: Sendable {
    /// How much is left to the model.
    package struct Settings: Sendable, Hashable {
        /// a, for each different byte seen after a context; above 0.
        package var pseudoCount: Float
        /// m: from 0, for no model, to 1.
        package var modelShare: Float

        package init(pseudoCount: Float, modelShare: Float) {
            precondition(
                pseudoCount > 0 && pseudoCount.isFinite && modelShare >= 0 && modelShare <= 1,
                "pseudo-count \(pseudoCount), model's share \(modelShare)")
            self.pseudoCount = pseudoCount
            self.modelShare = modelShare
        }

        /// Pseudo-count 4, model's share 0.3: docs/continual.md has the search.
        package static let standard = Settings(pseudoCount: 4, modelShare: 0.3)
    }

    /// Where a text is: what its last bytes are among those that were counted.
    package struct Place: Sendable {
        fileprivate var nodes: [UInt32]
    }

    package let settings: Settings
    private let trie: CountTrie

    package init(_ counts: NGramCounts, settings: Settings = .standard) {
        self.init(CountTrie(counts), settings)
    }

    init(_ trie: CountTrie, _ settings: Settings) {
        self.trie = trie
        self.settings = settings
    }

    /// A text that has not begun.
    package var start: Place { Place(nodes: trie.start) }

    /// Takes the next byte of a text into account.
    package func advance(_ place: inout Place, _ byte: UInt8) {
        _ = trie.advance(&place.nodes, first: 0, byte, 1)
    }

    /// A of all bytes, 256 of them, and B.
    package func predictions(at place: Place) -> (counts: [Float], model: Float) {
        var counts = [Float](repeating: 1 / 256, count: 256)
        var model: Float = 0
        let rest = 1 - settings.modelShare
        for node in place.nodes {
            model = rest * model + settings.modelShare
            guard let seen = trie.seen(node), seen.count > 0 else {
                for byte in counts.indices { counts[byte] *= rest }
                continue
            }
            let pseudo = settings.pseudoCount * Float(seen.followers)
            let total = Float(seen.count) + pseudo
            var together = [Float](repeating: 0, count: 256)
            trie.forEachFollower(node) { together[Int($0)] = Float($1) }
            for byte in counts.indices {
                counts[byte] = (together[byte] + pseudo * (rest * counts[byte])) / total
            }
            model = pseudo * model / total
        }
        return (counts, model)
    }
}

extension CountGate {
    /// An expert for each class.
    package func experts(_ settings: CountExpert.Settings) -> [CountExpert] {
        tries.map { CountExpert($0, settings) }
    }

    /// Where the text of a state is in the counts of a class.
    package func place(_ index: Int, _ state: State) -> CountExpert.Place {
        CountExpert.Place(nodes: Array(state.places[index * order..<(index + 1) * order]))
    }
}
