internal import Elements
internal import Objects
internal import Snapshots

/// How squared gradients are kept in a tree: a file `fisher.ID`, where ID is the object that they are of.
///
/// Its bytes (docs/format.md, "Squared gradients"): "CFSH", u32 1, and a little-endian F32 for each
/// element of the object's parts.
enum FisherFile {
    static let prefix = "fisher."
    private static let header: [UInt8] = Array("CFSH".utf8) + [1, 0, 0, 0]

    static func name(_ id: ObjectID) -> String { prefix + id.hex }

    static func encoded(_ values: [Float]) -> [UInt8] {
        header + values.littleEndianBytes
    }

    /// - Throws: `corrupt` for bytes that ``encoded(_:)`` does not give.
    static func decoded(_ bytes: [UInt8], _ name: String) throws -> [Float] {
        guard bytes.starts(with: header), bytes.count % 4 == 0 else {
            throw CambiumError(
                .corrupt,
                "file \(name) holds no squared gradients: another program wrote it; revert the commit "
                    + "that added it")
        }
        let span = bytes.raw
        return stride(from: header.count, to: bytes.count, by: 4).map {
            Float(bitPattern: span.number(at: $0))
        }
    }
}

extension FisherFile {
    /// What two sides recorded of one object, added up; nil when a side removed it or it is damaged.
    static func sum(_ values: [ConflictValue], _ name: String) -> ConflictValue? {
        var all: [[UInt8]] = []
        for value in values {
            guard let bytes = value.bytes else { return nil }
            all.append(bytes)
        }
        var sum: [Double] = []
        for bytes in all.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let next = try? decoded(bytes, name) else { return nil }
            if sum.isEmpty { sum = [Double](repeating: 0, count: next.count) }
            guard next.count == sum.count else { return nil }
            for index in sum.indices { sum[index] += Double(next[index]) }
        }
        return ConflictValue(side: values[0].side, bytes: encoded(sum.map { Float($0) }))
    }
}

extension Patch {
    /// Records how much a round's loss minds changes of an expert, for merges by `fisher`.
    ///
    /// - Parameters:
    ///   - gradients: The mean of the squared gradients over the round's tokens, for each element of the
    ///     expert's parts one after the other; not negative and finite.
    ///   - bytes: The expert as it is stored, to whose bytes the record belongs.
    ///   - layer: The number of its layer.
    ///   - cohort: The name of its cohort; a checkpoint's own pool is "base".
    /// - Throws: `not-found` without such a cohort; `bad-shape` for another number of elements; `usage` for
    ///   a gradient that cannot be.
    public mutating func record(
        squaredGradients gradients: [Float], ofExpert bytes: [UInt8], layer: Int,
        cohort: String = "base"
    ) throws {
        guard let number = UInt32(exactly: layer),
            let stored = draft.tree.layers[number]?.cohorts[cohort]
        else {
            throw CambiumError(.notFound, "the branch's model has no cohort \(layer)/\(cohort)")
        }
        let header = try ObjectHeader(stored.kind, stored.parts)
        let count = stored.parts.reduce(0) { $0 + $1.dimensions.reduce(1, *) }
        guard bytes.count == header.payloadCount else {
            throw CambiumError(
                .badShape,
                "an expert of \(layer)/\(cohort) has \(header.payloadCount) bytes, not \(bytes.count)"
            )
        }
        try record(gradients, count, of: header.id(of: bytes.raw))
    }

    /// Records how much a round's loss minds changes of a tensor of the trunk or of a router, as the patch
    /// has it now.
    ///
    /// - Throws: `not-found`; `bad-shape` for another number of elements; `usage` for a gradient that
    ///   cannot be.
    public mutating func record(
        squaredGradients gradients: [Float], ofTensor name: String
    ) throws {
        let stored = try tensor(named: name)
        try record(gradients, stored.shape.dimensions.reduce(1, *), of: stored.id)
    }

    /// Records squared gradients of an object of so many elements.
    mutating func record(
        _ gradients: [Float], _ count: Int, of id: ObjectID
    ) throws {
        guard gradients.count == count else {
            throw CambiumError(
                .badShape, "\(gradients.count) squared gradients of \(count) elements")
        }
        guard gradients.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw CambiumError(.usage, "a squared gradient is negative or not finite")
        }
        draft.tree.files[FisherFile.name(id)] = try draft.put(
            .file, FisherFile.encoded(gradients))
    }
}
