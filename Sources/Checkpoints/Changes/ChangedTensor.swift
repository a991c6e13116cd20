package import Elements
internal import Objects
internal import Snapshots

/// A tensor of two snapshots' checkpoints that differs, as far as ids tell.
package struct ChangedTensor: Sendable {
    /// What a tensor of a checkpoint is put together from.
    struct Place: Sendable {
        enum Source: Sendable {
            case stored(StoredTensor)
            /// A range of each expert's bytes, one expert after the other; zeros for those that were removed.
            case experts(MappedExperts, Range<Int>, bytes: Range<Int>)
        }

        let shape: TensorShape
        let source: Source

        init(_ stored: StoredTensor) {
            shape = stored.shape
            source = .stored(stored)
        }

        init(
            _ shape: TensorShape, _ experts: MappedExperts, _ ordinals: Range<Int>,
            _ bytes: Range<Int>
        ) {
            self.shape = shape
            source = .experts(experts, ordinals, bytes: bytes)
        }
    }

    enum Source: Sendable {
        /// Compared, or given, as a whole.
        case places(old: Place?, new: Place?)
        /// Compared expert by expert: these ordinals in a tensor of a pool that both snapshots spell alike.
        ///
        /// - isFirst: Whether no other tensor shows the same experts before, so that they are checked here.
        case experts(pool: Int, tensor: Int, [Int], isFirst: Bool)
    }

    /// Its name in the checkpoint.
    package let name: String
    /// Nil for one that is new.
    package let old: TensorShape?
    /// Nil for one that is gone.
    package let new: TensorShape?
    let source: Source
}

extension ChangedTensor.Place {
    /// The id of a tensor that is stored as one.
    var id: ObjectID? {
        if case .stored(let tensor) = source { tensor.id } else { nil }
    }

    /// The tensor's bytes, checked.
    func bytes(in snapshot: MappedSnapshot) throws -> MappedBytes {
        switch source {
        case .stored(let tensor):
            let object = try snapshot.checked(tensor.id)
            guard object.header.parts == [tensor.shape] else {
                throw CambiumError(
                    .corrupt,
                    "object \(tensor.id.short) is \(object.header.parts), not \(tensor.shape); run "
                        + "`cambium verify`")
            }
            return object.payload
        case .experts(let experts, let ordinals, let range):
            if ordinals.count == 1 {
                return try experts.checked(ordinals.lowerBound).payload.slice(range)
            }
            return try MappedBytes(count: ordinals.count * range.count) {
                (bytes: inout MutableRawSpan) throws in
                for (position, ordinal) in ordinals.enumerated()
                where !experts.isMissing(ordinal) {
                    let slice = try experts.checked(ordinal).payload.slice(range)
                    bytes.replace(at: position * range.count, by: slice.bytes)
                }
            }
        }
    }
}
