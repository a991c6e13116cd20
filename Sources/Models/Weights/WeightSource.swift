package import Elements
package import Objects

/// One tensor in place: what it is and where its bytes are mapped.
package struct Weights: Sendable {
    package let shape: TensorShape
    package let bytes: MappedBytes

    package init(shape: TensorShape, bytes: MappedBytes) {
        self.shape = shape
        self.bytes = bytes
    }
}

/// Where a model finds its weights: a mapped snapshot or a checkpoint file.
package protocol WeightSource: Sendable {
    /// A trunk or router tensor under its name in the checkpoint, for example
    /// `model.layers.1.peer.query.weight`.
    ///
    /// - Throws: `.missingTensor` if there is none; what reading throws.
    func tensor(_ name: String) throws -> Weights

    /// All that there is; nil where that is not known.
    var inventory: WeightInventory? { get }

    /// Whether two tensors that are there have the same dtype, shape and bytes.
    func isSame(_ one: String, _ other: String) throws -> Bool

    /// The id of a tensor's content, which its dtype and shape are part of; nil where that is not known.
    func id(of tensor: String) -> ObjectID?

    /// The id of a layer's experts, all together; nil where that is not known.
    func id(ofExperts layer: Int) -> ObjectID?

    /// Whether mapped pages are given back to hold a limit of memory, so that what every token needs is
    /// better copied.
    var releasesMap: Bool { get }

    /// The experts of a layer.
    ///
    /// - Throws: `.missingTensor` if the layer has none; what reading throws.
    func experts(layer: Int) throws -> any ExpertTable

    /// What the tensors of a layer's experts are called, in the order of an expert's bytes, with `{e}` for the
    /// expert's number; nil where that is not known.
    func expertNames(layer: Int) throws -> [String]?

    /// Why tensors of a layer's experts are not taken as theirs, naming one; nil where nothing is known of it.
    func irregularExperts(layer: Int) -> String?

    /// The experts that an adapter has in a layer.
    ///
    /// - Throws: `.missingTensor` if it has none there; what reading throws.
    func experts(layer: Int, of pool: String) throws -> any ExpertTable

    /// The hashed rows in front of a layer, those that are added first in front.
    ///
    /// - Throws: `.missingTensor` if the layer has none; what reading throws.
    func rows(layer: Int) throws -> [any ExpertTable]
}

extension WeightSource {
    package var releasesMap: Bool { false }
    package var inventory: WeightInventory? { nil }

    package func id(of tensor: String) -> ObjectID? { nil }

    package func id(ofExperts layer: Int) -> ObjectID? { nil }

    package func expertNames(layer: Int) throws -> [String]? { nil }

    package func irregularExperts(layer: Int) -> String? { nil }

    package func rows(layer: Int) throws -> [any ExpertTable] { [try experts(layer: layer)] }

    /// By comparing all bytes.
    package func isSame(_ one: String, _ other: String) throws -> Bool {
        let (one, other) = (try tensor(one), try tensor(other))
        return one.shape == other.shape && one.bytes.copy() == other.bytes.copy()
    }

    /// Of a source without adapters.
    package func experts(layer: Int, of pool: String) throws -> any ExpertTable {
        throw CambiumError(
            .missingTensor, "there are no experts of pool \(pool) in layer \(layer)")
    }
}

/// The experts of one layer, read where they are mapped.
package protocol ExpertTable: AnyObject, Sendable {
    /// How many experts there are; ordinals are 0 ..< `count`.
    var count: Int { get }

    /// The tensors of one expert, in the order of its bytes.
    var parts: [TensorShape] { get }

    /// Where some experts lie: `expertBytes` bytes each, at any alignment; mapped, not copied, unless
    /// memory is limited.
    ///
    /// Several threads may ask one table at the same time.
    ///
    /// - Parameters:
    ///   - ordinals: Each below `count`; may repeat.
    ///   - addresses: Replaced by one for each of `ordinals`; they stay valid as long as both the table
    ///     and `addresses`, unchanged.
    /// - Throws: What reading throws.
    func find(_ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses) throws

    /// Asks for experts that will be picked, in the background.
    ///
    /// - Parameter ordinals: Ascending, each below `count`.
    /// - Throws: What reading throws.
    func prefetch(_ ordinals: [UInt32]) throws

    /// How many tokens may look up their picks at once, so that a limit of memory holds; nil for any
    /// number.
    func tokensAtOnce(selections: Int) -> Int?
}

extension ExpertTable {
    package func prefetch(_ ordinals: [UInt32]) throws {}

    package func tokensAtOnce(selections: Int) -> Int? { nil }

    /// Bytes of one expert.
    package var expertBytes: Int { parts.reduce(0) { $0 + ($1.byteCount ?? 0) } }

    /// What a neuron is, [2, width]: its row u, then its row v.
    ///
    /// Of I8 the scales of both follow as F32. Nil for experts that are no neurons.
    package var neuronShape: TensorShape? {
        let rows = parts.first?.type == .i8 ? parts.dropLast() : parts[...]
        guard let first = rows.first, rows.count == 2, rows.allSatisfy({ $0 == first }),
            first.dimensions.count == 1,
            first.type != .i8 || parts.last == TensorShape(.f32, [2])
        else { return nil }
        return TensorShape(first.type, [2] + first.dimensions)
    }

    /// Calls `body` once for each ordinal in order, with its index in `ordinals` and the expert's
    /// bytes, which are borrowed for the call.
    ///
    /// - Throws: What `body` and reading throw.
    package func visit(
        _ ordinals: Span<UInt32>,
        _ body: (_ index: Int, _ expert: RawSpan) throws -> Void
    ) throws {
        var addresses = ExpertAddresses()
        let size = expertBytes
        // Blocks whose addresses stay in the cache.
        let block = 1024
        for first in stride(from: 0, to: ordinals.count, by: block) {
            let range = first..<min(first + block, ordinals.count)
            try find(ordinals.extracting(range), &addresses)
            for index in range {
                let start = unsafe addresses[index - first]
                try unsafe body(index, RawSpan(_unsafeStart: start, byteCount: size))
            }
        }
    }
}
