internal import Architectures
internal import Elements
internal import Snapshots

extension Tree {
    /// Refuses codes of one side with the scales of another: they are no conflict tensor by tensor, but a matrix that
    /// nobody made.
    ///
    /// - Parameter sides: What the tree was made of.
    /// - Throws: `incompatible`, naming the matrix.
    func checkCodes(of sides: [Tree]) throws {
        for matrix in CodedTensorNames.matrices(Set(trunk.tensors.keys)) {
            let own = matrix.map { trunk.tensors[$0] }
            guard !sides.contains(where: { side in matrix.map { side.trunk.tensors[$0] } == own })
            else { continue }
            throw CambiumError(
                .incompatible,
                "\(matrix[0]) and \(matrix.dropFirst().joined(separator: ", ")) are the scales and the codes of one "
                    + "matrix, and would come from different sides; take all of them from one, first in a commit on the "
                    + "other (cambium restore 'SIDE:NAME' for each), or where they are in conflict by --take"
            )
        }
    }
}
