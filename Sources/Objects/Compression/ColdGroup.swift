internal import Elements

/// A group of payloads in one compressed block, read back (``ColdGroupFormat`` has its bytes).
///
/// Any bytes may be given: what is not a block throws `.corrupt`.
///
/// - Complexity: Opening decompresses all; it holds the content and, for a moment, a section's
///   frame and shuffled form.
package struct ColdGroup: Sendable {
    private struct Run {
        let kind: ColdGroupFormat.Kind
        let payloadBytes: Int
        /// Number of the first payload, and of the first after the run.
        let payloads: Range<Int>
        /// Where the first payload begins in the section's content.
        let start: Int
    }

    private let runs: [Run]
    private var contents: [ColdGroupFormat.Kind: [UInt8]] = [:]
    /// Of sections that are sparse.
    private var changes: [ElementWidth: WordChanges] = [:]

    /// The number of payloads.
    package let count: Int

    /// Opens a block.
    ///
    /// - Parameters:
    ///   - block: Exactly the bytes that ``ColdGroupBuilder`` gave.
    ///   - limit: Bytes that all payloads together may have; more is never allocated for them.
    /// - Throws: `.corrupt` when the bytes are not a block, are damaged, or hold more than `limit`.
    package init(
        _ block: RawSpan, limit: Int, _ decompressor: inout ZstdDecompressor
    ) throws {
        guard block.byteCount >= ColdGroupFormat.headCount,
            block.number(at: 0, as: UInt32.self) == ColdGroupFormat.magic
        else { throw Self.corrupt("does not begin with CGRP") }
        let version = block.number(at: 4, as: UInt16.self)
        guard version == ColdGroupFormat.version else {
            throw Self.corrupt("has version \(version), unknown to this program")
        }
        let sectionCount = Int(block.number(at: 6, as: UInt16.self))
        let runCount = Int(block.number(at: 8, as: UInt32.self))
        let sectionStart = ColdGroupFormat.headCount + runCount * ColdGroupFormat.runEntryCount
        let tableEnd = sectionStart + sectionCount * ColdGroupFormat.sectionEntryCount
        guard tableEnd <= block.byteCount else {
            throw Self.corrupt("ends within its tables")
        }
        let head = block.copy(0..<12)
        let tables = block.extracting(ColdGroupFormat.headCount..<tableEnd)
        guard block.copy(12..<ColdGroupFormat.headCount) == ColdGroupFormat.checksum(head, tables)
        else {
            throw Self.corrupt("has tables that do not match their checksum")
        }
        var sizes: [ColdGroupFormat.Kind: Int] = [:]
        runs = try Self.runs(
            block.extracting(ColdGroupFormat.headCount..<sectionStart), limit: limit, &sizes)
        count = runs.last?.payloads.upperBound ?? 0
        try open(
            block, sections: sectionStart, contents: tableEnd, sizes, &decompressor)
    }

    /// Whether the payload with this number cannot be read without its predecessor.
    ///
    /// - Throws: `.corrupt` when the group has no such payload.
    package func needsPredecessor(_ index: Int) throws -> Bool {
        try run(of: index).kind.hasPredecessor
    }

    /// Bytes of memory that the opened block takes, about.
    package var memory: Int {
        contents.values.reduce(0) { $0 + $1.count } + changes.values.reduce(0) { $0 + $1.memory }
    }

    /// A copy of one payload, in the order in which they were added.
    ///
    /// - Parameters:
    ///   - index: The payload's number, from 0; found by binary search.
    ///   - predecessor: The raw bytes that it was added with, when ``needsPredecessor(_:)``; not
    ///     read otherwise.
    /// - Throws: As ``restore(_:in:)``, and `.corrupt` when the predecessor is missing.
    package func payload(
        _ index: Int, predecessor: RawSpan? = nil
    ) throws -> [UInt8] {
        let run = try run(of: index)
        var bytes: [UInt8]
        if run.kind.hasPredecessor, run.payloadBytes > 0 {
            guard let predecessor else { throw Self.unrelated(index) }
            bytes = predecessor.copy(0..<predecessor.byteCount)
        } else {
            bytes = [UInt8](repeating: 0, count: run.payloadBytes)
        }
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        try restore(index, in: &raw)
        return bytes
    }

    /// Turns the bytes of its predecessor into those of a payload; of one that needs none, writes it.
    ///
    /// - Parameters:
    ///   - index: The payload's number, from 0; found by binary search.
    ///   - bytes: As long as the payload.
    /// - Complexity: A step for each changed element of a sparse section; else one for each.
    /// - Throws: `.corrupt` when the group has no such payload, or one of another length.
    package func restore(_ index: Int, in bytes: inout MutableRawSpan) throws {
        let run = try run(of: index)
        guard bytes.byteCount == run.payloadBytes else { throw Self.unrelated(index) }
        guard run.payloadBytes > 0 else { return }
        let start = run.start + (index - run.payloads.lowerBound) * run.payloadBytes
        let range = start..<(start + run.payloadBytes)
        let width = run.kind.width
        if run.kind.hasPredecessor, let changes = changes[width] {
            changes.apply(from: start / width.byteCount, to: &bytes)
            return
        }
        guard let content = contents[run.kind], range.upperBound <= content.count else {
            throw Self.corrupt("has no bytes for payload \(index)")
        }
        let stored = content.raw.extracting(range)
        if run.kind.hasPredecessor {
            VersionDelta.restore(stored, in: &bytes, width)
        } else {
            unsafe bytes.withUnsafeMutableBytes { target in
                unsafe stored.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
            }
        }
    }
}

// MARK: - Parsing

extension ColdGroup {
    static func corrupt(_ what: String) -> CambiumError {
        CambiumError(.corrupt, "a compressed block \(what); run `cambium verify`")
    }

    private static func unrelated(_ index: Int) -> CambiumError {
        corrupt(
            "stores payload \(index) as a difference; its predecessor is missing or of another length"
        )
    }

    private func run(of index: Int) throws -> Run {
        guard index >= 0, index < count else {
            throw Self.corrupt("has \(count) payloads, none with the number \(index)")
        }
        var low = 0
        var high = runs.count - 1
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].payloads.upperBound <= index { low = middle + 1 } else { high = middle }
        }
        return runs[low]
    }

    /// - Parameter sizes: Receives the bytes of each kind's content, where there are any.
    private static func runs(
        _ table: RawSpan, limit: Int, _ sizes: inout [ColdGroupFormat.Kind: Int]
    ) throws -> [Run] {
        var runs: [Run] = []
        runs.reserveCapacity(table.byteCount / ColdGroupFormat.runEntryCount)
        var count = 0
        var total = 0
        for entry in stride(from: 0, to: table.byteCount, by: ColdGroupFormat.runEntryCount) {
            let payloads = Int(table.number(at: entry, as: UInt32.self))
            let bytes = Int(table.number(at: entry + 4, as: UInt32.self))
            guard payloads > 0, table.number(at: entry + 10, as: UInt16.self) == 0 else {
                throw corrupt("has a run that is empty or of an unknown form")
            }
            let kind = try kind(table, at: entry + 8)
            // Both are below 2^32, so the product can exceed Int but never UInt64.
            guard UInt64(payloads) * UInt64(bytes) <= UInt64(max(limit - total, 0)) else {
                throw corrupt("claims more than the \(limit) bytes that it may hold")
            }
            let start = sizes[kind, default: 0]
            runs.append(
                Run(
                    kind: kind, payloadBytes: bytes, payloads: count..<(count + payloads),
                    start: start))
            if bytes > 0 { sizes[kind] = start + payloads * bytes }
            count += payloads
            total += payloads * bytes
        }
        return runs
    }

    private static func kind(_ table: RawSpan, at offset: Int) throws
        -> ColdGroupFormat.Kind
    {
        let predecessor = table.number(at: offset + 1, as: UInt8.self)
        guard let width = ElementWidth(rawValue: table.number(at: offset, as: UInt8.self)),
            predecessor <= 1
        else { throw corrupt("has an element width or a flag of no meaning") }
        return ColdGroupFormat.Kind(width: width, hasPredecessor: predecessor == 1)
    }

    /// Fills `contents` from the section table at `sections` and the bytes from `contents` on.
    private mutating func open(
        _ block: RawSpan, sections: Int, contents start: Int, _ sizes: [ColdGroupFormat.Kind: Int],
        _ decompressor: inout ZstdDecompressor
    ) throws {
        let expected = ColdGroupFormat.Kind.all.filter { sizes[$0] != nil }
        guard (start - sections) / ColdGroupFormat.sectionEntryCount == expected.count else {
            throw Self.corrupt("has other sections than its payloads need")
        }
        var offset = start
        for (number, kind) in expected.enumerated() {
            let entry = sections + number * ColdGroupFormat.sectionEntryCount
            guard try Self.kind(block, at: entry) == kind,
                let method = ColdGroupFormat.Method(
                    rawValue: block.number(at: entry + 2, as: UInt8.self)),
                block.number(at: entry + 3, as: UInt8.self) == 0
            else { throw Self.corrupt("has a section of an unknown form") }
            let stored = Int(block.number(at: entry + 4, as: UInt32.self))
            guard stored <= block.byteCount - offset else {
                throw Self.corrupt("ends within a section")
            }
            let bytes = block.extracting(offset..<(offset + stored))
            if method == .sparse {
                let size = sizes[kind] ?? 0
                guard kind.hasPredecessor, size % kind.width.byteCount == 0 else {
                    throw Self.corrupt("has a section of an unknown form")
                }
                changes[kind.width] = try WordChanges(
                    bytes, kind.width, elements: size / kind.width.byteCount, &decompressor)
            } else {
                contents[kind] = try Self.content(
                    bytes, method, kind.width, count: sizes[kind] ?? 0, &decompressor)
            }
            offset += stored
        }
        guard offset == block.byteCount else {
            throw Self.corrupt("has \(block.byteCount - offset) bytes too many")
        }
    }

    private static func content(
        _ bytes: RawSpan, _ method: ColdGroupFormat.Method, _ width: ElementWidth, count: Int,
        _ decompressor: inout ZstdDecompressor
    ) throws -> [UInt8] {
        switch method {
        case .compressed:
            return ByteShuffle.unshuffled(
                try decompressor.content(of: bytes, count: count), width)
        case .stored, .sparse:
            guard bytes.byteCount == count + ColdGroupFormat.checksumCount else {
                throw corrupt("stores \(bytes.byteCount) bytes where \(count) were expected")
            }
            let content = bytes.extracting(0..<count)
            guard bytes.copy(count..<bytes.byteCount) == ColdGroupFormat.checksum([], content)
            else {
                throw corrupt("has bytes that do not match their checksum")
            }
            return content.copy(0..<count)
        }
    }
}
