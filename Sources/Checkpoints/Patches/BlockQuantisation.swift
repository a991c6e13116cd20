internal import Architectures
internal import Elements
internal import Glibc
internal import Models
internal import Objects
internal import Snapshots
internal import Tensors

/// A model in the making whose weights become blocks of codes, some experts and some rows of a matrix at a time.
struct BlockQuantisation: ~Copyable {
    var draft: CommitDraft
    /// What became codes: the forms, experts, matrices, and bytes of both before and after.
    private(set) var forms: BlockForms
    private(set) var experts = 0
    private(set) var matrices = 0
    private(set) var before = 0
    private(set) var after = 0
    /// Blocks that are ``BlockCodes/coarse``.
    private(set) var coarse = 0
    /// What stays as it is, and why.
    private(set) var left: [String] = []
    private let snapshot: MappedSnapshot
    /// The tensors of a checkpoint that hold it.
    private(set) var layout: Layout?

    /// Bytes of experts that are read in one go, and elements of a matrix.
    private static let bytesAtOnce = 32 << 20
    private static let elementsAtOnce = 1 << 22

    /// - Parameter forms: Those that the model has.
    init(
        _ draft: consuming CommitDraft, _ snapshot: MappedSnapshot, _ forms: BlockForms
    ) throws {
        self.draft = draft
        self.snapshot = snapshot
        self.forms = forms
        layout = try snapshot.layout()
    }

    /// Whether something that is asked for can become codes.
    static func isPossible(
        _ forms: BlockForms, _ description: ModelDescription, _ model: LanguageModel
    ) -> Bool {
        let hasExperts = description.layers.contains { layer in
            layer.experts.map { BlockExperts.oddInputs($0, description.hiddenSize) == nil } == true
        }
        let parts = Set(model.matrices.filter { $0.columns % BlockForm.size == 0 }.map(\.part))
        return forms.experts != nil && hasExperts || forms.dense != nil && parts.contains(.dense)
            || forms.routers != nil && parts.contains(.router)
            || forms.embedding != nil && parts.contains(.embedding)
    }

    /// Lets the config say what became codes.
    mutating func finish() throws {
        let name = Checkpoint.configName
        guard let id = draft.tree.files[name] else {
            throw CambiumError(.unsupported, "the model has no \(name)")
        }
        let config = try forms.config(snapshot.data(of: id))
        draft.tree.files[name] = try draft.put(.file, config)
    }

    // MARK: Experts

    mutating func quantise(
        expertsOf description: ModelDescription, _ form: BlockForm, _ progress: ProgressReporter
    ) throws {
        for number in draft.tree.layers.keys.sorted() {
            let layers = description.layers
            guard layers.indices.contains(Int(number)) else {
                left.append(
                    "the experts of layer \(number): it predicts tokens further ahead")
                continue
            }
            guard let sizes = layers[Int(number)].experts else { continue }
            if let inputs = BlockExperts.oddInputs(sizes, description.hiddenSize) {
                left.append(
                    "the experts of layer \(number): \(inputs) inputs are no multiple of \(BlockForm.size)"
                )
                continue
            }
            try quantise(layer: number, sizes, description.hiddenSize, form, progress)
            forms.experts = form
        }
    }

    private mutating func quantise(
        layer number: UInt32, _ sizes: ModelDescription.Experts, _ hidden: Int, _ form: BlockForm,
        _ progress: ProgressReporter
    ) throws {
        let name = ExpertPool.base
        guard var pool = draft.tree.layers[number]?.pools[name],
            let stored = snapshot.experts(layer: number, pool: name),
            let place = layout?.pools.firstIndex(where: { $0.layer == number && $0.pool == name }),
            let old = layout?.pools[place]
        else {
            throw CambiumError(
                .unsupported, "layer \(number) has no experts in the tensors of a checkpoint")
        }
        let blocks = try BlockExperts(form, sizes, hidden: hidden, pool, old)
        let header = try ObjectHeader(.tensors, blocks.parts)
        let size = try ObjectHeader(pool.kind, pool.parts).payloadCount
        let ordinals = (0..<stored.count).filter { !stored.isAbsent($0) }
        let step = max(4, min(1 << 12, Self.bytesAtOnce / max(size, 1)))
        var ids = [ObjectID](repeating: .zero, count: stored.count)
        draft.reserve(ordinals.count)
        for start in stride(from: 0, to: ordinals.count, by: step) {
            let some = ordinals[start..<min(start + step, ordinals.count)]
            try stored.fetch(some)
            let made = concurrentMap(some.count, grain: 1) { position in
                Result {
                    let (bytes, coarse) = try Self.encode(
                        some[start + position], of: number, stored, blocks)
                    return (id: header.id(of: bytes.raw), bytes: bytes, coarse: coarse)
                }
            }
            for (ordinal, expert) in zip(some, made) {
                let (id, bytes, coarse) = try expert.get()
                self.coarse += coarse
                _ = try draft.put(id, header, bytes.raw)
                ids[ordinal] = id
            }
            try progress(
                Progress("experts of layer \(number)", start + some.count, ordinals.count))
        }
        pool.kind = .tensors
        pool.parts = blocks.parts
        pool.experts = draft.putExperts(ids)
        draft.tree.layers[number]?.pools[name] = pool
        layout?.pools[place] = Layout.Pool(layer: number, pool: name, tensors: blocks.tensors)
        experts += ordinals.count
        before += ordinals.count * size
        after += ordinals.count * header.payloadCount
    }

    private static func encode(
        _ ordinal: Int, of layer: UInt32, _ stored: MappedExperts, _ blocks: BlockExperts
    ) throws -> (bytes: [UInt8], coarse: Int) {
        do {
            return try blocks.encode(stored.checked(ordinal).payload.bytes)
        } catch let error as CambiumError where error.code == .unsupported {
            throw error.adding("expert \(layer)/\(ordinal)")
        }
    }

    // MARK: Matrices

    /// - Parameter all: Of one part of the model.
    /// - Returns: Whether some became codes.
    private mutating func quantise(
        _ all: [ModelMatrix], _ form: BlockForm, _ progress: ProgressReporter
    ) throws -> Bool {
        var found = 0
        for (number, matrix) in all.enumerated() {
            guard matrix.columns % BlockForm.size == 0 else {
                left.append(
                    "\(matrix.name): \(matrix.columns) inputs are no multiple of \(BlockForm.size)")
                continue
            }
            try quantise(matrix, form)
            found += 1
            try progress(Progress("matrices", number + 1, all.count))
        }
        matrices += found
        return found > 0
    }

    /// Notes what stays of layers that do not run.
    private mutating func leave(_ what: String, beyond description: ModelDescription) {
        for number in draft.tree.layers.keys.sorted()
        where !description.layers.indices.contains(Int(number)) {
            left.append("\(what) of layer \(number): it predicts tokens further ahead")
        }
    }

    mutating func quantise(
        denseOf model: LanguageModel, _ form: BlockForm, _ progress: ProgressReporter
    ) throws {
        let own = model.matrices.filter { $0.part == .dense }
        leave("the matrices", beyond: model.description)
        if try quantise(own, form, progress) { forms.dense = form }
    }

    mutating func quantise(
        routersOf model: LanguageModel, _ form: BlockForm, _ progress: ProgressReporter
    ) throws {
        let own = model.matrices.filter { $0.part == .router }
        leave("the router", beyond: model.description)
        if try quantise(own, form, progress) { forms.routers = form }
    }

    mutating func quantise(
        embeddingOf model: LanguageModel, _ form: BlockForm, _ progress: ProgressReporter
    ) throws {
        let own = model.matrices.filter { $0.part == .embedding }
        let head = "lm_head.weight"
        if model.description.tiesEmbedding,
            let copy = draft.tree.trunk.tensors.keys.first(where: {
                $0 == head || $0.hasSuffix("." + head)
            })
        {
            throw CambiumError(
                .unsupported,
                "\(copy) is the embedding a second time, and would not be it any more; leave it out of the "
                    + "checkpoint to quantise the embedding")
        }
        if try quantise(own, form, progress) { forms.embedding = form }
    }

    private mutating func quantise(_ matrix: ModelMatrix, _ form: BlockForm) throws {
        let names = form.weights()
        let module = String(matrix.name.dropLast("weight".count))
        guard let old = draft.tree.tensors[matrix.name], let bytes = old.shape.byteCount,
            let shape = form.coding.codes(rows: matrix.rows, columns: matrix.columns)
        else { throw CambiumError(.missingTensor, "the model has no tensor \(matrix.name)") }
        let (codes, scales, coarse) = try Self.encode(
            matrix, old.shape.type, snapshot.checked(old.id).payload, form)
        let grid = form.coding.scales(rows: matrix.rows, columns: matrix.columns)[0]
        let made = [
            module + names.codes: try draft.putTensor(shape, codes.raw),
            module + names.scales: try draft.putTensor(TensorShape(.f16, grid), scales.raw),
        ]
        draft.tree.replace(matrix.name, by: made)
        before += bytes
        after += codes.count + scales.count
        self.coarse += coarse
    }

    private static func encode(
        _ matrix: ModelMatrix, _ type: ElementType, _ bytes: MappedBytes, _ form: BlockForm
    ) throws -> (codes: [UInt8], scales: [UInt8], coarse: Int) {
        let rowBytes = matrix.columns * type.bitWidth / 8
        let step = max(1, Self.elementsAtOnce / 8 / max(matrix.columns, 1))
        let parts = (matrix.rows + step - 1) / step
        var (codes, scales, coarse): ([UInt8], [UInt8], Int) = ([], [], 0)
        // Some parts at a time, so that floats are of these alone.
        for start in stride(from: 0, to: parts, by: 8) {
            let some = concurrentMap(min(8, parts - start), grain: 1) { position in
                Result {
                    let rows =
                        (start + position) * step..<min((start + position + 1) * step, matrix.rows)
                    var values = [Float](repeating: 0, count: rows.count * matrix.columns)
                    do {
                        var span = values.mutableSpan
                        let own = bytes.slice(
                            rows.lowerBound * rowBytes..<rows.upperBound * rowBytes)
                        convertToFloat(own.bytes, type: type, into: &span)
                    }
                    return try BlockCodes(values.span, form.coding)
                }
            }
            for part in some {
                do {
                    let part = try part.get()
                    codes += part.codes
                    scales += part.scales
                    coarse += part.coarse
                } catch let error as CambiumError { throw error.adding(matrix.name) }
            }
        }
        return (codes, scales, coarse)
    }
}

extension Tree {
    /// Puts tensors in the place of one, in the trunk or with the router that it is of.
    fileprivate mutating func replace(_ name: String, by tensors: [String: StoredTensor]) {
        for (number, layer) in layers {
            for (pool, content) in layer.pools where content.router[name] != nil {
                layers[number]?.pools[pool]?.router[name] = nil
                layers[number]?.pools[pool]?.router.merge(tensors) { $1 }
                return
            }
        }
        trunk.tensors[name] = nil
        trunk.tensors.merge(tensors) { $1 }
    }
}
