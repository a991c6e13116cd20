package import Elements
internal import Objects
package import Snapshots

/// A safetensors file that holds only what changes, by the names of the branch's checkpoint.
///
/// A tensor `T` replaces the tensor `T`. With an integer tensor `T.rows` [k], `T` is [k, …] and
/// replaces these rows of it: of a tensor that stacks experts, row e is a part of expert e.
struct PatchFile {
    private let path: String
    private let checkpoint: Checkpoint
    private static let rowsSuffix = ".rows"

    init(_ path: String) throws {
        self.path = path
        checkpoint = try Checkpoint(opening: path)
    }

    /// Puts everything into the patch.
    func apply(
        to patch: inout ModelPatch, _ snapshot: MappedSnapshot, _ layout: Layout?,
        _ progress: ProgressReporter
    ) throws {
        var pending = try ExpertEdits(snapshot, layout)
        let names = checkpoint.tensors.map(\.name).filter { !isRows($0) }
        for name in names {
            guard let tensor = checkpoint.tensor(named: name) else { continue }
            let rows = try rows(of: name, tensor.shape)
            if try pending.take(name, tensor, rows) { continue }
            guard !name.hasSuffix(Self.rowsSuffix) || patch.has(tensor: name) else {
                throw CambiumError(
                    .badShape,
                    "\(path): \(name) names rows, but the rows themselves, "
                        + "\(name.dropLast(Self.rowsSuffix.count)), are missing")
            }
            try putTensor(name, tensor, rows, &patch, snapshot)
        }
        try pending.put(into: &patch, progress)
        try checkpoint.checkUnchanged()
    }

    private func isRows(_ name: String) -> Bool {
        name.hasSuffix(Self.rowsSuffix)
            && checkpoint.tensor(named: String(name.dropLast(Self.rowsSuffix.count))) != nil
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

    private func putTensor(
        _ name: String, _ tensor: Checkpoint.Tensor, _ rows: [Int]?, _ patch: inout ModelPatch,
        _ snapshot: MappedSnapshot
    ) throws {
        let stored = try patch.tensor(named: name)
        guard let rows else {
            guard tensor.shape == stored.shape else {
                throw mismatch(name, tensor.shape, stored.shape)
            }
            return try patch.put(tensor: name, tensor.bytes.bytes)
        }
        let shape = stored.shape
        guard let count = shape.dimensions.first, count > 0, let total = shape.byteCount,
            tensor.shape.type == shape.type,
            Array(tensor.shape.dimensions.dropFirst()) == Array(shape.dimensions.dropFirst()),
            total % count == 0
        else { throw mismatch(name, tensor.shape, shape) }
        let size = total / count
        var bytes = try snapshot.data(of: stored.id)
        let new = tensor.bytes.copy()
        for (position, row) in rows.enumerated() {
            guard row < count else {
                throw CambiumError(
                    .badShape, "\(path): \(name).rows names row \(row), but \(name) has \(count)")
            }
            bytes.replaceSubrange(
                (row * size)..<((row + 1) * size),
                with: new[(position * size)..<((position + 1) * size)])
        }
        try patch.put(tensor: name, bytes)
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
        let file = try PatchFile(path)
        let target = try CommitTarget(request, self)
        let snapshot = try map(target.model().parent)
        let layout = try layout(of: snapshot.tree)
        var patch = try ModelPatch(target)
        try file.apply(to: &patch, snapshot, layout, progress)
        return try patch.commit(request)
    }
}

extension ElementType {
    fileprivate var isSigned: Bool { [.i8, .i16, .i32, .i64].contains(self) }
}

extension UInt64 {
    /// The number that the low bytes are in two's complement.
    fileprivate func signed(bytes: Int) -> String {
        let unused = 64 - 8 * bytes
        return "\(Int64(truncatingIfNeeded: self << unused) >> unused)"
    }
}
