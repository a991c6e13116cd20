internal import Elements
internal import Objects
internal import Snapshots

/// New content of one stored object that a patch file changes: of a tensor, or of an expert of which the file's
/// tensors hold parts.
struct ObjectEdit: Sendable {
    enum Place: Sendable {
        case tensor(String, StoredTensor)
        case expert(Int, of: Layout.Pool, MappedExperts)
    }

    /// New bytes of a part of the object.
    struct Part: Sendable {
        enum Source: Sendable {
            case whole(MappedBytes)
            /// Rows by their numbers, one after the other.
            case rows([Int], MappedBytes)
            /// Those at some positions, which are elements of a tensor; the part begins with one of them.
            case elements(SparseTensor, Range<Int>, from: Int)
        }

        /// In the object's bytes.
        let range: Range<Int>
        let source: Source
    }

    let place: Place
    let header: ObjectHeader
    let parts: [Part]

    /// Bytes in a block: enough work for all cores, little beside what is being written.
    private static let blockBytes = 32 << 20
    private static let greatestBlock = 1 << 14

    /// The new bytes, their id, what the store has of them, and what they are stored as.
    private func content(_ snapshot: MappedSnapshot, _ copies: StoredCopies) throws -> Content {
        let bytes = try bytes(snapshot)
        let version: Predecessor? =
            switch place {
            case .tensor(_, let stored): .object(stored.id)
            case .expert(let ordinal, _, let experts): experts.predecessor(ordinal)
            }
        return Content(
            bytes: bytes, known: try copies.prepared(header, bytes.bytes, after: version))
    }

    private func bytes(_ snapshot: MappedSnapshot) throws -> MappedBytes {
        let count = header.payloadCount
        let whole = parts.compactMap { part -> MappedBytes? in
            if case .whole(let bytes) = part.source { bytes } else { nil }
        }
        if whole.count == 1, whole[0].count == count { return whole[0] }
        let isReplaced = whole.reduce(0) { $0 + $1.count } == count
        let old = isReplaced ? nil : try before(snapshot)
        return try MappedBytes(count: count) { (bytes: inout MutableRawSpan) throws in
            if let old { bytes.replace(at: 0, by: old.bytes) }
            for part in parts { try part.put(into: &bytes) }
        }
    }

    /// The bytes of before, checked; nil for an expert that was removed, of which the parts that are not
    /// given are zeros.
    private func before(_ snapshot: MappedSnapshot) throws -> MappedBytes? {
        switch place {
        case .tensor(_, let stored): return try snapshot.checked(stored.id).payload
        case .expert(let ordinal, let pool, let experts):
            guard experts.isMissing(ordinal) else { return try experts.checked(ordinal).payload }
            guard parts.allSatisfy(\.isComplete) else {
                throw CambiumError(
                    .badShape,
                    "the patch changes some elements of expert \(ordinal) of layer \(pool.layer), "
                        + "which was removed; give all of it")
            }
            return nil
        }
    }

    /// The contents of some objects, computed on all cores, from one on; nil behind the last.
    fileprivate static func block(
        _ edits: [ObjectEdit], from start: Int, _ snapshot: MappedSnapshot, _ copies: StoredCopies
    ) -> Block? {
        guard start < edits.count else { return nil }
        var (end, size) = (start, 0)
        while end < edits.count, end - start < greatestBlock, end == start || size < blockBytes {
            size += edits[end].header.payloadCount
            end += 1
        }
        let range = start..<end
        return Block(
            range: range,
            contents: Background {
                concurrentMap(range.count, grain: 1) { position in
                    Result { try edits[start + position].content(snapshot, copies) }
                }
            })
    }

    fileprivate struct Content: Sendable {
        let bytes: MappedBytes
        let known: PreparedObject
    }

    fileprivate struct Block {
        let range: Range<Int>
        let contents: Background<[Result<Content, any Error>]>
    }
}

extension ObjectEdit.Part {
    fileprivate func put(into bytes: inout MutableRawSpan) throws {
        switch source {
        case .whole(let new): bytes.replace(at: range.lowerBound, by: new.bytes)
        case .rows(let rows, let new):
            let size = rows.isEmpty ? 0 : new.count / rows.count
            for (position, row) in rows.enumerated() {
                let one = new.slice((position * size)..<((position + 1) * size))
                bytes.replace(at: range.lowerBound + row * size, by: one.bytes)
            }
        case .elements(let sparse, let positions, let start):
            try sparse.replace(positions, in: &bytes, range, from: start)
        }
    }

    /// Whether every byte of the part is given.
    fileprivate var isComplete: Bool {
        switch source {
        case .whole: true
        case .rows: false
        case .elements(let sparse, let positions, _): positions.count * sparse.width == range.count
        }
    }
}

extension ModelPatch {
    /// Puts what a patch file changes; the next objects are read, changed and hashed on all cores while the
    /// present ones are staged.
    mutating func put(
        _ edits: [ObjectEdit], of snapshot: MappedSnapshot, _ phase: String,
        _ progress: ProgressReporter
    ) throws {
        let copies = draft.copies
        var next = ObjectEdit.block(edits, from: 0, snapshot, copies)
        // It reads the store, which nobody may close before.
        defer { _ = next?.contents.wait() }
        while let block = next {
            next = nil
            let contents = block.contents.wait()
            next = ObjectEdit.block(edits, from: block.range.upperBound, snapshot, copies)
            for (edit, content) in zip(edits[block.range], contents) {
                try put(edit.place, content.get())
            }
            try progress(Progress(phase, block.range.upperBound, edits.count))
        }
    }

    private mutating func put(_ place: ObjectEdit.Place, _ content: ObjectEdit.Content) throws {
        let (bytes, known) = (content.bytes, content.known)
        switch place {
        case .tensor(let name, _): try put(tensor: name, bytes.bytes, known: known)
        case .expert(let ordinal, let pool, _):
            try put(
                expert: ordinal, layer: Int(pool.layer), pool: pool.pool, bytes.bytes, known: known)
        }
    }
}
