internal import Architectures

/// Which experts the tokens of a session picked, in each layer that has some.
package struct ExpertUsage: Sendable, Hashable {
    /// One layer's counts.
    package struct Layer: Sendable, Hashable {
        /// The layer's index in the model.
        package let layer: Int
        /// Experts in the layer.
        package let expertCount: Int
        /// Bytes of one expert as stored.
        package let expertBytes: Int
        /// Picks so far: tokens * heads * topK.
        package private(set) var selections = 0
        /// Distinct experts picked so far.
        package private(set) var touched = 0
        /// One bit per expert.
        private var bits: [UInt64]

        init(_ slot: LanguageModel.Slot) {
            layer = slot.number
            (expertCount, expertBytes) = (slot.count, slot.expertBytes)
            self.bits = [UInt64](repeating: 0, count: (expertCount + 63) / 64)
        }

        /// Whether any token picked this expert.
        package func isTouched(_ expert: Int) -> Bool {
            precondition(expert >= 0 && expert < expertCount, "expert \(expert) of \(expertCount)")
            return bits[expert / 64] >> UInt64(expert % 64) & 1 == 1
        }

        mutating func record(_ experts: ArraySlice<UInt32>) {
            selections += experts.count
            for expert in experts {
                let (word, bit) = (Int(expert / 64), UInt64(1) << UInt64(expert % 64))
                if bits[word] & bit == 0 {
                    bits[word] |= bit
                    touched += 1
                }
            }
        }

        mutating func formUnion(_ other: Layer) {
            selections += other.selections
            for word in bits.indices { bits[word] |= other.bits[word] }
            touched = bits.reduce(0) { $0 + $1.nonzeroBitCount }
        }
    }

    /// In ascending order of layer.
    package internal(set) var layers: [Layer]

    init(_ model: LanguageModel) { layers = model.slots.map(Layer.init) }

    /// Experts that the model has, over all layers.
    package var expertCount: Int { layers.reduce(0) { $0 + $1.expertCount } }
    /// Distinct experts picked, over all layers.
    package var touched: Int { layers.reduce(0) { $0 + $1.touched } }
    /// Picks, over all layers.
    package var selections: Int { layers.reduce(0) { $0 + $1.selections } }
    /// Bytes of the distinct experts picked.
    package var bytesTouched: Int { layers.reduce(0) { $0 + $1.touched * $1.expertBytes } }
    /// Bytes of all experts.
    package var bytesStored: Int { layers.reduce(0) { $0 + $1.expertCount * $1.expertBytes } }

    /// Adds what another session of the same model counted.
    package mutating func formUnion(_ other: ExpertUsage) {
        precondition(layers.count == other.layers.count, "usage of two different models")
        for index in layers.indices { layers[index].formUnion(other.layers[index]) }
    }
}
