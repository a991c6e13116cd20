package import Elements
internal import Files
internal import Objects
internal import Snapshots

/// What writing a patch file did.
package struct WrittenPatch: Sendable {
    /// Tensors of which it holds elements.
    package var sparse = 0
    /// Tensors that it holds whole, where that is shorter.
    package var whole = 0
    /// Elements that differ, those of whole tensors included.
    package var elements = 0
    /// Bytes of the file's tensors.
    package var bytes = 0
}

/// The difference of two snapshots as a file that a commit of a patch takes: committed on the older one, it gives
/// the newer one's tree.
package struct ChangePatch {
    /// How one tensor is told.
    private struct Part {
        let tensor: ChangedTensor
        let kind: Kind
    }

    private enum Kind {
        case whole
        case index(ElementType)
        case value
    }

    private let changes: SnapshotChanges
    /// What tells the names of the older snapshot.
    private let experts: ExpertEdits

    /// - Throws: `unsupported` when something differs that such a file cannot say.
    package init(_ changes: SnapshotChanges) throws {
        let unsaid = changes.besidesElements
        guard unsaid.isEmpty else {
            let rest = unsaid.count > 4 ? "; and \(unsaid.count - 3) more" : ""
            throw CambiumError(
                .unsupported,
                "a patch file cannot say all that differs: "
                    + unsaid.prefix(unsaid.count > 4 ? 3 : 4).joined(separator: "; ") + rest
                    + ". Export the newer revision instead")
        }
        self.changes = changes
        experts = try ExpertEdits(changes.left, changes.layout)
    }

    /// Writes the file; it appears complete and durable or not at all.
    ///
    /// What differs is compared twice or three times, so that no more than one tensor's elements are in memory.
    ///
    /// - Throws: `exists` for a path that is taken, unless it may be replaced.
    package func write(
        to path: String, overwrite: Bool, _ progress: ProgressReporter
    ) throws -> WrittenPatch {
        try Self.check(path, overwrite: overwrite)
        var parts: [Part] = []
        var entries: [TensorEntry] = []
        var written = WrittenPatch()
        for (number, tensor) in changes.tensors.enumerated() {
            var count = 0
            var isWhole = false
            try changes.forEach(of: tensor) { change in
                count += change.elementCount
                if case .whole = change.content { isWhole = true }
            }
            if count > 0, let shape = tensor.new {
                written.elements += count
                for (kind, entry) in try self.parts(tensor, shape, count, isWhole: isWhole) {
                    parts.append(Part(tensor: tensor, kind: kind))
                    entries.append(entry)
                    written.bytes += entry.shape.byteCount ?? 0
                    if case .whole = kind { written.whole += 1 }
                    if case .value = kind { written.sparse += 1 }
                }
            }
            try progress(Progress("tensors compared", number + 1, changes.tensors.count))
        }
        var done = 0
        try SafetensorsWriter.write(
            entries,
            metadata: [
                "cambium.from": changes.left.id.hex, "cambium.to": changes.right.id.hex,
            ], to: path
        ) { position, sink in
            try fill(parts[position], &sink)
            done += 1
            try progress(Progress("tensors written", done, entries.count))
        }
        return written
    }

    private static func check(_ path: String, overwrite: Bool) throws {
        guard !path.isEmpty else { throw CambiumError(.usage, "the patch file's path is empty") }
        guard !isFolder(path) else {
            throw CambiumError(.exists, "\(path) is a folder; name the file that is to be written")
        }
        guard overwrite || !fileExists(path) else {
            throw CambiumError(.exists, "\(path) exists already; --force replaces it")
        }
    }

    /// The tensors of the file that tell one: itself, or its elements, whichever is shorter.
    private func parts(
        _ tensor: ChangedTensor, _ shape: TensorShape, _ count: Int, isWhole: Bool
    ) throws -> [(Kind, TensorEntry)] {
        let name = tensor.name
        let index: ElementType = shape.elementCount <= 1 << 32 ? .u32 : .u64
        let entries = [
            TensorEntry(name + SparseTensor.indexSuffix, TensorShape(index, [count])),
            TensorEntry(name + SparseTensor.valueSuffix, TensorShape(shape.type, [count])),
        ]
        let isTaken = entries.contains { entry in
            changes.left.tree.tensor(named: entry.name) != nil || experts.holds(entry.name)
        }
        let size = entries.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
        let canBeSparse = !isWhole && !isTaken
        let canBeWhole = !changes.hasHoles(tensor)
        if canBeSparse, !canBeWhole || size < shape.byteCount ?? 0 {
            return [(.index(index), entries[0]), (.value, entries[1])]
        }
        guard canBeWhole else {
            throw CambiumError(
                .unsupported,
                "a patch file can hold \(name) neither whole, as some of its experts were removed, nor by "
                    + "its elements, as the model has a tensor \(entries[0].name) or \(entries[1].name), "
                    + "or they do not fill bytes")
        }
        return [(.whole, TensorEntry(name, shape))]
    }

    private func fill(_ part: Part, _ sink: inout TensorSink) throws {
        switch part.kind {
        case .whole:
            try changes.wholeBytes(of: part.tensor) { try Self.append($0.bytes, &sink) }
        case .value:
            try changes.forEach(of: part.tensor, checks: false) { change in
                if case .elements(_, let values) = change.content {
                    try Self.append(values.raw, &sink)
                }
            }
        case .index(let type):
            try changes.forEach(of: part.tensor, checks: false) { change in
                if case .elements(let indices, _) = change.content {
                    let bytes = indices.littleEndianBytes(width: type.bitWidth / 8)
                    try Self.append(bytes.raw, &sink)
                }
            }
        }
        guard sink.remaining == 0 else { throw Self.changed }
    }

    /// Appends what must be as long as it was when it was counted.
    private static func append(_ bytes: RawSpan, _ sink: inout TensorSink) throws {
        guard bytes.byteCount <= sink.remaining else { throw changed }
        try sink.append(bytes)
    }

    private static var changed: CambiumError {
        CambiumError(
            .corrupt,
            "what is stored changed while it was read: damaged on disk; run `cambium verify`")
    }
}
