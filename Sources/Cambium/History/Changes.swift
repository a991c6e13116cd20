internal import Checkpoints
internal import Elements
internal import Snapshots

/// What turns one commit's weights into another's, element by element and bit for bit, whatever lies between them.
///
/// Nothing of the weights is read before it is asked for, and then one tensor or expert at a time; what has the same id in
/// both commits is not read at all. Both commits are kept from being collected as long as this value lives.
///
/// ```swift
/// let changes = try store.changes(from: running, to: "main")
/// try changes.apply(to: &weights)  // weights: [String: [UInt8]], by the checkpoint's names
/// try changes.write(to: "step.safetensors")  // for `commit --patch`
/// ```
public struct Changes: Sendable {
    /// The older commit's id.
    public let from: String
    /// The newer commit's id.
    public let to: String
    /// Tensors that only the newer commit has, by name.
    public let added: [String]
    /// Tensors that only the older commit has, by name.
    public let removed: [String]
    /// Tensors that have another dtype or shape in the newer commit, by name.
    public let reshaped: [String]
    /// Experts that only the newer commit has, as `1/17`.
    public let addedExperts: [String]
    /// Experts that only the older commit has; where a tensor stacks experts, their slices of it are left alone.
    public let removedExperts: [String]
    /// What differs besides tensors, in words: files, the layout, the architecture.
    public let besides: [String]
    private let changes: SnapshotChanges

    init(_ changes: SnapshotChanges, from: String, to: String) {
        func names(where isMeant: (ChangedTensor) -> Bool) -> [String] {
            changes.tensors.filter(isMeant).map(\.name).sorted(by: isBefore)
        }
        self.from = from
        self.to = to
        self.changes = changes
        added = names { $0.old == nil }
        removed = names { $0.new == nil }
        reshaped = names { $0.old != nil && $0.new != nil && $0.old != $0.new }
        addedExperts = changes.addedExperts
        removedExperts = changes.removedExperts
        besides = changes.besidesTensors
    }

    /// Whether no tensor, expert or file differs.
    public var isEmpty: Bool {
        changes.tensors.isEmpty && removedExperts.isEmpty && besides.isEmpty
    }

    /// Every change, tensor by tensor.
    ///
    /// A tensor without a difference does not come. A long one comes in several runs, one that stacks experts with one for
    /// each that differs: each gives elements behind those of the one before.
    ///
    /// - Parameters:
    ///   - isWanted: Whether a tensor, by its name, is of interest; others are not read.
    ///   - body: Told each change in turn.
    /// - Throws: What `body` throws; `corrupt` for what was damaged on disk.
    public func forEach(
        where isWanted: (String) -> Bool = { _ in true }, _ body: (TensorChange) throws -> Void
    ) throws {
        try changes.forEach(where: isWanted) { try body(TensorChange($0)) }
    }

    /// Turns weights of the older commit into those of the newer one, in place.
    ///
    /// - Parameter weights: The tensors by their names in the checkpoint: row-major, little-endian.
    /// - Throws: `not-found` for a tensor that is missing, `bad-shape` for one of another length, both before
    ///   anything is changed; `corrupt` for what was damaged on disk, when a part may be changed already.
    public func apply(to weights: inout [String: [UInt8]]) throws {
        for tensor in changes.tensors {
            guard let shape = tensor.old else { continue }
            guard let count = weights[tensor.name]?.count else {
                throw CambiumError(
                    .notFound,
                    "there is no tensor '\(tensor.name)' among the weights; it is \(shape)")
            }
            guard count == shape.byteCount else {
                throw CambiumError(
                    .badShape,
                    "tensor '\(tensor.name)' has \(count) bytes among the weights; it is \(shape)")
            }
        }
        try changes.forEach { change in
            switch change.content {
            case .gone: weights[change.name] = nil
            case .whole(let bytes): weights[change.name] = bytes.copy()
            case .elements:
                try weights[change.name]?.withRawBytes { (bytes: inout MutableRawSpan) throws in
                    try change.apply(to: &bytes)
                }
            }
        }
    }

    /// Writes a patch file (docs/format.md, "Patch files"): committed on the older commit, it gives the newer one's
    /// tree.
    ///
    /// - Parameters:
    ///   - path: A safetensors file; it appears complete or not at all.
    ///   - overwrite: Whether a file that is there may be replaced.
    ///   - progress: Told how many tensors were compared, and how many written.
    /// - Throws: `unsupported` when something differs that such a file cannot say, `exists`.
    @discardableResult
    public func write(
        to path: String, overwrite: Bool = false, progress: ProgressReporter = { _ in }
    ) throws -> PatchResult {
        let written = try ChangePatch(changes).write(to: path, overwrite: overwrite, progress)
        return PatchResult(
            from: from, to: to, file: path, sparse: written.sparse, whole: written.whole,
            elements: written.elements, bytes: written.bytes)
    }
}

/// What changes of one tensor, or of a run of it.
public struct TensorChange: Sendable {
    /// What is told of the tensor.
    public enum Kind: String, Sendable {
        /// Some of its elements.
        case elements
        /// All of it: it is new, or has another dtype or shape.
        case whole
        /// It is gone.
        case removed
    }

    /// Its name in the checkpoint.
    public let name: String
    /// For example "BF16".
    public let dtype: String
    /// Outermost dimension first, as it is now; of one that is gone, as it was.
    public let shape: [Int]
    /// What is told.
    public let kind: Kind
    /// The elements that differ, counted row-major, ascending; empty for other kinds.
    public let indices: [Int]
    private let run: ChangeRun

    init(_ run: ChangeRun) {
        self.run = run
        name = run.name
        dtype = run.shape.type.name
        shape = run.shape.dimensions
        switch run.content {
        case .elements(let indices, _): (kind, self.indices) = (.elements, indices)
        case .whole: (kind, indices) = (.whole, [])
        case .gone: (kind, indices) = (.removed, [])
        }
    }

    /// The new values of the elements, or of all, one after the other, little-endian.
    ///
    /// - Complexity: Copies a tensor that is told whole; ``apply(to:)`` does not.
    public var values: [UInt8] {
        switch run.content {
        case .elements(_, let values): values
        case .whole(let bytes): bytes.copy()
        case .gone: []
        }
    }

    /// Changes a copy of the tensor in place.
    ///
    /// - Parameter memory: All of the tensor as the older commit has it, row-major, little-endian; of one that is told
    ///   whole, memory for all of it.
    /// - Throws: `bad-shape` for memory of another length than the shape's.
    public func apply(to memory: inout MutableRawSpan) throws {
        try run.apply(to: &memory)
    }
}

/// What writing a patch file did.
public struct PatchResult: Sendable, Encodable {
    /// The older commit's id, on which the file is to be committed.
    public let from: String
    /// The newer commit's id.
    public let to: String
    /// The file.
    public let file: String
    /// Tensors of which it holds elements.
    public let sparse: Int
    /// Tensors that it holds whole, where that is shorter.
    public let whole: Int
    /// Elements that it holds, those of whole tensors included.
    public let elements: Int
    /// Bytes of its tensors.
    public let bytes: Int
}
