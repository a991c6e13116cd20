internal import Objects
internal import Synchronization
internal import Tensors

/// Matrices that are laid out in memory, each once for all models that have it, as long as one of these is there.
enum SharedMatrices {
    private struct Place: Hashable {
        let tensor: ObjectID
        let index: Int
    }

    private struct Known {
        weak var matrix: PackedMatrix?
    }

    private static let known = Mutex<[Place: Known]>([:])

    /// - Parameters:
    ///   - tensor: The id of the tensor that has the matrix; nil where it is not known, and then the matrix is not shared.
    ///   - index: Which of the tensor's matrices.
    ///   - make: Lays it out.
    static func matrix(
        _ tensor: ObjectID?, _ index: Int = 0, _ make: () -> PackedMatrix
    ) -> PackedMatrix {
        guard let tensor else { return make() }
        let place = Place(tensor: tensor, index: index)
        if let found = known.withLock({ $0[place]?.matrix }) { return found }
        let matrix = make()
        return known.withLock { known in
            // Another thread may have made it meanwhile.
            if let found = known[place]?.matrix { return found }
            known = known.filter { $0.value.matrix != nil }
            known[place] = Known(matrix: matrix)
            return matrix
        }
    }
}
