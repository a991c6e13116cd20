package import Elements
package import Objects
package import Snapshots

/// The experts of one layer, and the tensors of a checkpoint that hold them.
///
/// An expert's *canonical bytes* are its slice of each pool tensor, one after the other. They are
/// the same whether a checkpoint holds each expert in tensors of its own or all of them stacked in
/// one, so that the same expert has the same identity in both forms.
package struct CheckpointPool: Sendable, Hashable {
    package let layer: Int
    /// The pool that the experts belong to.
    package let pool: String
    package let kind: ObjectKind
    /// One more than the greatest ordinal.
    package let expertCount: Int
    /// Ordinals below ``expertCount`` that no expert has, ascending: of one rank of expert parallelism those of the
    /// ranks before it.
    package let absent: [Int]
    /// In the order of the canonical bytes.
    package let tensors: [PoolTensor]
    package let routerKind: RouterKind
    /// The names of the tensors that route to these experts.
    package let routerTensors: [String]

    package init(
        layer: Int, pool: String = ExpertPool.base, kind: ObjectKind, expertCount: Int,
        absent: [Int] = [], tensors: [PoolTensor], routerKind: RouterKind, routerTensors: [String]
    ) {
        self.layer = layer
        self.pool = pool
        self.kind = kind
        self.expertCount = expertCount
        self.absent = absent
        self.tensors = tensors
        self.routerKind = routerKind
        self.routerTensors = routerTensors
    }

    /// The same pool without some of its experts.
    package func lacking(_ absent: [Int]) -> CheckpointPool {
        CheckpointPool(
            layer: layer, pool: pool, kind: kind, expertCount: expertCount, absent: absent,
            tensors: tensors, routerKind: routerKind, routerTensors: routerTensors)
    }

    /// As entities are named: `3`, and `3/mtp` for a pool beside the base pool.
    package var place: String { pool == ExpertPool.base ? "\(layer)" : "\(layer)/\(pool)" }

    /// The ordinals of the experts, ascending.
    package var ordinals: [Int] {
        var ordinals = Array(0..<expertCount)
        if !absent.isEmpty {
            let gaps = Set(absent)
            ordinals.removeAll { gaps.contains($0) }
        }
        return ordinals
    }

    /// The tensors that make up one expert, in the order of its canonical bytes.
    package var parts: [TensorShape] { tensors.flatMap(\.parts) }

    /// The length of one expert's canonical bytes.
    package var expertByteCount: Int { tensors.reduce(0) { $0 + $1.sliceByteCount } }

    /// Where the slice of each pool tensor lies in an expert's canonical bytes.
    package var sliceRanges: [Range<Int>] {
        var start = 0
        return tensors.map { tensor in
            defer { start += tensor.sliceByteCount }
            return start..<start + tensor.sliceByteCount
        }
    }
}

/// One kind of tensor of a pool: a single stacked tensor, or one tensor for each expert.
package struct PoolTensor: Sendable, Hashable {
    /// Stands for the expert's ordinal in ``template``.
    package static let placeholder = "{e}"

    /// The tensor's name, with `{e}` where each expert has a tensor of its own.
    package let template: String
    /// Whether one tensor [experts, …] holds every expert's slice along dimension 0.
    package let stacked: Bool
    package let type: ElementType
    /// The dimensions of one expert's slice.
    package let sliceDimensions: [Int]
    /// The parts inside the slice, in order; together they are its bytes.
    package let parts: [TensorShape]
    /// The bytes of one expert's slice.
    package let sliceByteCount: Int
    /// The name around the ordinal.
    private let affixes: [String]

    /// - Parameter parts: Nil for one part, the slice itself.
    /// - Throws: `.unsupported` when a part does not fill whole bytes.
    package init(
        template: String, stacked: Bool, slice: TensorShape, parts: [TensorShape]? = nil
    ) throws {
        let parts = parts ?? [slice]
        var count = 0
        for part in parts {
            guard let bytes = part.byteCount else {
                throw CambiumError(
                    .unsupported,
                    "an expert's part \(part) of tensor \(quoted(template)) does not fill a "
                        + "countable whole of bytes")
            }
            count += bytes
        }
        precondition(count == slice.byteCount, "parts \(parts) do not make up the slice \(slice)")
        self.template = template
        self.stacked = stacked
        self.type = slice.type
        self.sliceDimensions = slice.dimensions
        self.parts = parts
        self.sliceByteCount = count
        affixes = template.split(separator: Self.placeholder, omittingEmptySubsequences: false)
            .map(String.init)
    }

    /// Whether the template stands for the ordinal in one place.
    var isUnambiguous: Bool { stacked || affixes.count == 2 }

    /// The name of the tensor that holds expert `ordinal`'s slice.
    package func name(of ordinal: Int) -> String {
        stacked ? template : affixes.joined(separator: String(ordinal))
    }
}
