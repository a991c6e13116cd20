internal import Elements
internal import Evidence
internal import Objects
package import Routing
internal import Snapshots

extension Patch {
    /// Adds evidence for the gate, in the same commit as what else the patch changes.
    ///
    /// A record that the branch has already is one record.
    ///
    /// - Parameters:
    ///   - text: At least `order` bytes.
    ///   - cohort: The class; "base" for what the base model learned.
    ///   - label: Which round or data it is, for people.
    ///   - order: Bytes in an n-gram, 1 to 8.
    /// - Throws: `usage` for a text or name that cannot be.
    public mutating func addEvidence(
        _ text: [UInt8], cohort: String, label: String = "", order: Int = 3
    ) throws {
        try addEvidence(
            CountContribution(
                of: TextSource(text), "the text", cohort: cohort, label: label, order: order))
    }

    /// Adds a record of evidence that was counted elsewhere.
    package mutating func addEvidence(_ record: CountContribution) throws {
        let id = try draft.add(.counts(record))
        evidence.append((id, .counts(record)))
    }

    /// Adds a record of what experts are used for.
    package mutating func addEvidence(_ record: UseContribution) throws {
        let id = try draft.add(.use(record))
        evidence.append((id, .use(record)))
    }

    /// Adds a record of moments that was made elsewhere, over this branch's trunk.
    package mutating func addEvidence(_ record: MomentContribution) throws {
        let id = try draft.add(.moments(record))
        evidence.append((id, .moments(record)))
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
