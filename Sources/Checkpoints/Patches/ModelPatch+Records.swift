internal import Elements
internal import Evidence
package import Objects
internal import Snapshots

extension ModelPatch {
    /// Records how much a round's loss minds changes of an expert.
    ///
    /// - Parameters:
    ///   - gradients: For each element of the expert's parts one after the other; not negative and finite.
    ///   - bytes: The expert as it is stored, to whose bytes the record belongs.
    /// - Throws: `not-found`, `bad-shape`, `usage` for a gradient that cannot be.
    package mutating func record(
        squaredGradients gradients: [Float], ofExpert bytes: [UInt8], layer: Int,
        pool: String
    ) throws {
        guard let number = UInt32(exactly: layer),
            let stored = draft.tree.layers[number]?.pools[pool]
        else {
            throw CambiumError(.notFound, "the branch's model has no pool \(layer)/\(pool)")
        }
        let header = try ObjectHeader(stored.kind, stored.parts)
        let count = stored.parts.reduce(0) { $0 + $1.dimensions.reduce(1, *) }
        guard bytes.count == header.payloadCount else {
            throw CambiumError(
                .badShape,
                "an expert of \(layer)/\(pool) has \(header.payloadCount) bytes, not \(bytes.count)"
            )
        }
        try record(gradients, count, of: header.id(of: bytes.raw))
    }

    /// Records how much a round's loss minds changes of a tensor, as the patch has it now.
    package mutating func record(
        squaredGradients gradients: [Float], ofTensor name: String
    ) throws {
        let stored = try tensor(named: name)
        try record(gradients, stored.shape.dimensions.reduce(1, *), of: stored.id)
    }

    /// Records squared gradients of an object of so many elements.
    package mutating func record(_ gradients: [Float], _ count: Int, of id: ObjectID) throws {
        guard gradients.count == count else {
            throw CambiumError(
                .badShape, "\(gradients.count) squared gradients of \(count) elements")
        }
        guard gradients.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw CambiumError(.usage, "a squared gradient is negative or not finite")
        }
        draft.tree.files[FisherFile.name(id)] = try draft.put(.file, FisherFile.encoded(gradients))
    }
}
