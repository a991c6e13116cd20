package import Elements
internal import Objects
package import Snapshots

/// Tensors that hold only what changes, by the names of the branch's checkpoint: a safetensors file, or in memory.
///
/// A tensor `T` replaces the tensor `T`. With an integer tensor `T.rows` [k], `T` is [k, …] and
/// replaces these rows of it: of a tensor that stacks experts, row e is a part of expert e. Without `T`,
/// `T.index` [k] and `T.value` [k] replace single elements of it, counted row-major. A name that the model has
/// itself is that tensor, whatever it ends in.
struct PatchFile {
    private let path: String
    private let checkpoint: Checkpoint
    private static let rowsSuffix = ".rows"

    init(_ checkpoint: Checkpoint) {
        path = checkpoint.path
        self.checkpoint = checkpoint
    }

    /// Puts everything into the patch.
    func apply(
        to patch: inout ModelPatch, _ snapshot: MappedSnapshot, _ layout: Layout?,
        _ progress: ProgressReporter
    ) throws {
        var experts = try ExpertEdits(snapshot, layout)
        let edits = try edits(&experts) { [tree = patch.draft.tree] name in
            tree.tensor(named: name)
        }
        try patch.put(edits, of: snapshot, "tensors", progress)
        try patch.put(experts.objects, of: snapshot, "experts", progress)
        try checkpoint.checkUnchanged()
    }

    /// What changes of tensors outside the experts; the rest goes to `experts`.
    ///
    /// - Parameter stored: A tensor of the model outside its experts.
    private func edits(
        _ experts: inout ExpertEdits, _ stored: (String) -> StoredTensor?
    ) throws -> [ObjectEdit] {
        var edits: [ObjectEdit] = []
        let pools = experts
        func isOwn(_ name: String) -> Bool { stored(name) != nil || pools.holds(name) }
        func known(_ name: String) throws -> StoredTensor {
            guard let tensor = stored(name) else { throw ModelPatch.noTensor(name) }
            return tensor
        }
        for tensor in checkpoint.tensors {
            let name = tensor.name
            var role = Role.whole
            if !isOwn(name) { role = try self.role(of: tensor, isOwn) }
            switch role {
            case .partner: continue
            case .index(let sparse):
                if try experts.take(sparse) { continue }
                let stored = try known(sparse.name)
                try sparse.check(against: stored.shape)
                guard sparse.count > 0 else { continue }
                edits.append(
                    try edit(
                        sparse.name, stored, .elements(sparse, 0..<sparse.count, from: 0)))
            case .whole:
                let rows = isOwn(name + Self.rowsSuffix) ? nil : try rows(of: name, tensor.shape)
                if try experts.take(name, tensor, rows) { continue }
                edits.append(try edit(tensor, rows, known(name)))
            }
        }
        return edits
    }

    /// What a tensor of the file is for.
    private enum Role {
        /// It replaces a tensor, or rows of one.
        case whole
        /// It names elements of a tensor.
        case index(SparseTensor)
        /// It is read with another: the numbers of rows, or the values of elements.
        case partner
    }

    /// What a tensor is for whose name the model does not have.
    private func role(
        of tensor: Checkpoint.Tensor, _ isOwn: (String) -> Bool
    ) throws -> Role {
        let name = tensor.name
        /// A tensor of the file that is no tensor of the model.
        func partner(_ name: String) -> Checkpoint.Tensor? {
            isOwn(name) ? nil : checkpoint.tensor(named: name)
        }
        if let target = name.stem(before: Self.rowsSuffix) {
            guard checkpoint.tensor(named: target) == nil else { return .partner }
            throw CambiumError(
                .badShape,
                "\(path): \(name) names rows, but the rows themselves, \(target), are missing")
        }
        if let target = name.stem(before: SparseTensor.indexSuffix) {
            let value = target + SparseTensor.valueSuffix
            if let value = partner(value) {
                guard checkpoint.tensor(named: target) == nil else {
                    throw CambiumError(
                        .badShape,
                        "\(path): \(target) is there, and elements of it as well, \(name); give it "
                            + "whole, or rows of it, or elements")
                }
                return .index(try SparseTensor(target, tensor, value, in: path))
            }
            if isOwn(target) { throw missing(name, "names elements", value, "their values", isOwn) }
        }
        if let target = name.stem(before: SparseTensor.valueSuffix) {
            let index = target + SparseTensor.indexSuffix
            if partner(index) != nil { return .partner }
            if isOwn(target) { throw missing(name, "has values", index, "their indices", isOwn) }
        }
        return .whole
    }

    private func missing(
        _ name: String, _ does: String, _ partner: String, _ what: String,
        _ isOwn: (String) -> Bool
    ) -> CambiumError {
        CambiumError(
            .badShape,
            "\(path): \(name) \(does), but \(what), \(partner), "
                + (isOwn(partner)
                    ? "are a tensor of the model itself; give the tensor whole" : "are missing"))
    }

    /// The row numbers of `T.rows`, or nil when there is no such tensor.
    private func rows(of name: String, _ shape: TensorShape) throws -> [Int]? {
        guard let tensor = checkpoint.tensor(named: name + Self.rowsSuffix) else { return nil }
        let types: Set<ElementType> = [.u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64]
        guard types.contains(tensor.shape.type), tensor.shape.dimensions.count == 1,
            shape.dimensions.first == tensor.shape.dimensions[0]
        else {
            throw CambiumError(
                .badShape,
                "\(path): \(name).rows is \(tensor.shape), but \(name) is \(shape): one integer is "
                    + "expected for each row")
        }
        let width = tensor.shape.type.bitWidth / 8
        let bytes = tensor.bytes.copy()
        var rows: [Int] = []
        var seen: Set<Int> = []
        for start in stride(from: 0, to: bytes.count, by: width) {
            let number = (0..<width).reduce(UInt64(0)) {
                $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1)
            }
            guard !tensor.shape.type.isSigned || bytes[start + width - 1] < 128 else {
                throw CambiumError(
                    .badShape,
                    "\(path): \(name).rows names row \(number.signed(bytes: width)); rows are not "
                        + "negative")
            }
            guard let row = Int(exactly: number) else {
                throw CambiumError(
                    .badShape, "\(path): \(name).rows names row \(number), which cannot be")
            }
            guard seen.insert(row).inserted else {
                throw CambiumError(.badShape, "\(path): \(name).rows names row \(row) twice")
            }
            rows.append(row)
        }
        return rows
    }

    private func edit(
        _ tensor: Checkpoint.Tensor, _ rows: [Int]?, _ stored: StoredTensor
    ) throws -> ObjectEdit {
        let (name, shape) = (tensor.name, stored.shape)
        guard let rows else {
            guard tensor.shape == shape else { throw mismatch(name, tensor.shape, shape) }
            return try edit(name, stored, .whole(tensor.bytes))
        }
        guard let count = shape.dimensions.first, count > 0, let total = shape.byteCount,
            tensor.shape.type == shape.type,
            Array(tensor.shape.dimensions.dropFirst()) == Array(shape.dimensions.dropFirst()),
            total % count == 0
        else { throw mismatch(name, tensor.shape, shape) }
        if let row = rows.first(where: { $0 >= count }) {
            throw CambiumError(
                .badShape, "\(path): \(name).rows names row \(row), but \(name) has \(count)")
        }
        return try edit(name, stored, .rows(rows, tensor.bytes))
    }

    private func edit(
        _ name: String, _ stored: StoredTensor, _ source: ObjectEdit.Part.Source
    ) throws -> ObjectEdit {
        let header = try ObjectHeader(.tensor, [stored.shape])
        let part = ObjectEdit.Part(range: 0..<header.payloadCount, source: source)
        return ObjectEdit(place: .tensor(name, stored), header: header, parts: [part])
    }

    private func mismatch(_ name: String, _ new: TensorShape, _ old: TensorShape) -> CambiumError {
        CambiumError(
            .badShape,
            "\(path): \(name) is \(new), but the branch's model has \(old); a patch keeps dtypes and "
                + "shapes, or gives rows of them with \(name).rows")
    }
}

extension SnapshotStore {
    /// Commits what a function puts into a patch of a branch's model.
    ///
    /// - Throws: What `body` throws, and ``ModelPatch/commit(_:)``; `not-found` for a branch without a model.
    package func commit(
        _ request: CommitRequest, patch body: (inout ModelPatch) throws -> Void
    ) throws -> CommittedModel {
        var patch = try ModelPatch(CommitTarget(request, self))
        try body(&patch)
        return try patch.commit(request)
    }

    /// Commits what a safetensors file changes of a branch's model.
    package func commit(
        patchFile path: String, _ request: CommitRequest, progress: ProgressReporter
    ) throws -> CommittedModel {
        let file = PatchFile(try Checkpoint(opening: path))
        return try commit(file, request, progress) { _ in }
    }

    /// Commits what tensors in memory change of a branch's model; they are named as those of a patch file.
    ///
    /// - Parameter body: Puts what else changes, before them.
    package func commit(
        patch tensors: [(entry: TensorEntry, bytes: MappedBytes)], _ request: CommitRequest,
        progress: ProgressReporter, _ body: (inout ModelPatch) throws -> Void
    ) throws -> CommittedModel {
        let file = PatchFile(try Checkpoint(tensors: tensors, isFolder: false))
        return try commit(file, request, progress, body)
    }

    private func commit(
        _ file: PatchFile, _ request: CommitRequest, _ progress: ProgressReporter,
        _ body: (inout ModelPatch) throws -> Void
    ) throws -> CommittedModel {
        let target = try CommitTarget(request, self)
        let snapshot = try map(target.model().parent)
        let layout = try layout(of: snapshot.tree)
        var patch = try ModelPatch(target)
        try body(&patch)
        try file.apply(to: &patch, snapshot, layout, progress)
        return try patch.commit(request)
    }
}

extension ElementType {
    fileprivate var isSigned: Bool { [.i8, .i16, .i32, .i64].contains(self) }
}

extension String {
    /// What stands before a suffix; nil without it.
    func stem(before suffix: String) -> String? {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : nil
    }
}
