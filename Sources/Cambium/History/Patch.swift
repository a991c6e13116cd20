package import Checkpoints
internal import Evidence
internal import Routing

/// Changes of a branch's model, made without its whole checkpoint: experts, tensors of the trunk and the
/// routers, and evidence for the gate.
///
/// Lives only inside ``Store/commit(_:patch:)``. What is put is hashed and staged at once; nothing
/// becomes visible before the commit. A put that throws leaves the patch as it was.
public struct Patch: ~Copyable {
    package var model: ModelPatch

    /// Replaces an expert, or adds one behind the last.
    ///
    /// - Parameters:
    ///   - ordinal: Its number in the pool.
    ///   - layer: The number of its layer.
    ///   - pool: The name of its pool; a checkpoint's own pool is "base".
    ///   - bytes: Its parts one after the other, little-endian: of a neuron the down row u and then
    ///     the up row v, of a SwiGLU expert gate, up and down. Copied.
    /// - Throws: `not-found` without such a pool, `bad-shape` when the length is not an expert's.
    public mutating func put(
        expert ordinal: Int, layer: Int, pool: String = "base", _ bytes: RawSpan
    ) throws { try model.put(expert: ordinal, layer: layer, pool: pool, bytes) }

    /// Replaces an expert, or adds one behind the last; see ``put(expert:layer:pool:_:)``.
    public mutating func put(
        expert ordinal: Int, layer: Int, pool: String = "base", _ bytes: [UInt8]
    ) throws { try model.put(expert: ordinal, layer: layer, pool: pool, bytes) }

    /// Removes an expert; its ordinal stays empty.
    ///
    /// - Throws: `not-found` without such a pool.
    public mutating func remove(expert ordinal: Int, layer: Int, pool: String = "base") throws {
        try model.remove(expert: ordinal, layer: layer, pool: pool)
    }

    /// Replaces a tensor of the trunk or of a router by one of the same dtype and shape.
    ///
    /// - Parameters:
    ///   - name: Its name in the checkpoint.
    ///   - bytes: Row-major, little-endian. Copied.
    /// - Throws: `not-found`, `bad-shape` when the length is not the tensor's.
    public mutating func put(tensor name: String, _ bytes: RawSpan) throws {
        try model.put(tensor: name, bytes)
    }

    /// Replaces a tensor of the trunk or of a router; see ``put(tensor:_:)``.
    public mutating func put(tensor name: String, _ bytes: [UInt8]) throws {
        try model.put(tensor: name, bytes)
    }

    /// Adds evidence for the gate, in the same commit as what else the patch changes.
    ///
    /// A record that the branch has already is one record.
    ///
    /// - Parameters:
    ///   - text: At least `order` bytes.
    ///   - adapter: The class; "base" for what the base model learned.
    ///   - label: Which round or data it is, for people.
    ///   - order: Bytes in an n-gram, 1 to 8.
    /// - Throws: `usage` for a text or name that cannot be.
    public mutating func addEvidence(
        _ text: [UInt8], adapter: String, label: String = "", order: Int = 3
    ) throws {
        try model.add(
            .counts(
                CountContribution(
                    of: TextSource(text), "the text", adapter: adapter, label: label, order: order))
        )
    }

    /// Records how much a round's loss minds changes of an expert, for merges by `fisher`.
    ///
    /// - Parameters:
    ///   - gradients: The mean of the squared gradients over the round's tokens, for each element of the
    ///     expert's parts one after the other; not negative and finite.
    ///   - bytes: The expert as it is stored, to whose bytes the record belongs.
    ///   - layer: The number of its layer.
    ///   - pool: The name of its pool; a checkpoint's own pool is "base".
    /// - Throws: `not-found` without such a pool; `bad-shape` for another number of elements; `usage` for
    ///   a gradient that cannot be.
    public mutating func record(
        squaredGradients gradients: [Float], ofExpert bytes: [UInt8], layer: Int,
        pool: String = "base"
    ) throws {
        try model.record(squaredGradients: gradients, ofExpert: bytes, layer: layer, pool: pool)
    }

    /// Records how much a round's loss minds changes of a tensor of the trunk or of a router, as the patch
    /// has it now.
    ///
    /// - Throws: `not-found`; `bad-shape` for another number of elements; `usage` for a gradient that
    ///   cannot be.
    public mutating func record(squaredGradients gradients: [Float], ofTensor name: String) throws {
        try model.record(squaredGradients: gradients, ofTensor: name)
    }
}
