internal import Architectures

/// A matrix that a model reads, whatever it is stored as.
package struct ModelMatrix: Sendable, Hashable {
    /// What a matrix is to a model.
    package enum Part: Sendable, Hashable {
        /// Of attention, a feed-forward or the head.
        case dense
        /// Of a linear router.
        case router
        /// One row that tells how much shared experts count.
        case gate
        case embedding
    }

    /// Of the tensor as floats, as the source spells it.
    package let name: String
    package let rows: Int
    package let columns: Int
    package let part: Part
}

extension CodedParts {
    /// How matrices of a part of a model are kept; nil for floats.
    func weights(of part: ModelMatrix.Part) -> CodedWeights? {
        switch part {
        case .dense, .gate: dense
        case .router: routers
        case .embedding: embedding
        }
    }
}
