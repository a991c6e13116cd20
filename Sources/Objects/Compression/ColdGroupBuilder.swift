internal import Elements

/// Fills one compressed block of payloads that are read together (``ColdGroupFormat`` has its bytes).
///
/// A group of 64 KiB or more is worth compressing; payloads of one kind compress best together, and
/// in any order. The payloads are copied when they are added.
package struct ColdGroupBuilder: Sendable {
    private struct Run {
        let kind: ColdGroupFormat.Kind
        let payloadBytes: UInt32
        var payloads: UInt32
    }

    private var runs: [Run] = []
    private var contents: [ColdGroupFormat.Kind: [UInt8]] = [:]
    private var changes: [ElementWidth: ChangedWords] = [:]

    /// Raw bytes of all payloads that were added.
    package private(set) var byteCount = 0

    package init() {}

    /// Bytes of memory that it takes, about.
    var memory: Int {
        contents.values.reduce(0) { $0 + $1.count } + changes.values.reduce(0) { $0 + $1.memory }
    }

    /// Adds a payload; the first one has number 0.
    ///
    /// - Parameters:
    ///   - payload: The raw bytes.
    ///   - width: Bytes of an element, for example ``ElementWidth/init(_:)-(ObjectHeader)``.
    ///   - predecessor: The raw bytes of an earlier version. They must be at hand to read this one.
    ///     A predecessor that has little to do with the payload makes the block larger.
    /// - Throws: `.tooLarge` when the group would exceed ``ObjectHeader/maximumPayload``, `.corrupt`
    ///   when the predecessor has another length.
    package mutating func add(
        _ payload: RawSpan, _ width: ElementWidth, predecessor: RawSpan? = nil
    ) throws {
        let count = payload.byteCount
        guard count <= ObjectHeader.maximumPayload - byteCount else {
            throw CambiumError(
                .tooLarge, "a group of \(byteCount) bytes has no room for \(count) more")
        }
        guard let predecessor else {
            let kind = ColdGroupFormat.Kind(width: width, hasPredecessor: false)
            unsafe payload.withUnsafeBytes {
                unsafe contents[kind, default: []].append(contentsOf: $0)
            }
            addRun(kind, count)
            return
        }
        guard predecessor.byteCount == count else {
            throw CambiumError(
                .corrupt,
                "a version of \(count) bytes cannot differ from its predecessor of "
                    + "\(predecessor.byteCount) bytes; run `cambium verify`")
        }
        let unit = ChangedWords.width(width, count)
        changes[unit, default: ChangedWords(unit)].add(payload, predecessor: predecessor)
        addRun(ColdGroupFormat.Kind(width: unit, hasPredecessor: true), count)
    }

    /// Adds a payload as what changed since its predecessor.
    ///
    /// - Parameter words: Of this payload alone.
    mutating func add(_ words: ChangedWords, byteCount count: Int) {
        changes[words.width, default: ChangedWords(words.width)].append(words)
        addRun(ColdGroupFormat.Kind(width: words.width, hasPredecessor: true), count)
    }

    private mutating func addRun(_ kind: ColdGroupFormat.Kind, _ count: Int) {
        byteCount += count
        if let last = runs.last, last.kind == kind, last.payloadBytes == count,
            last.payloads < .max
        {
            runs[runs.count - 1].payloads += 1
        } else {
            runs.append(Run(kind: kind, payloadBytes: UInt32(count), payloads: 1))
        }
    }

    /// The finished block.
    ///
    /// - Complexity: Shuffles and compresses each section once; holds a section's shuffled form and
    ///   frame beside the payloads and the block.
    /// - Throws: `.tooLarge` when there is no memory.
    package consuming func finish(
        _ compressor: inout ZstdCompressor
    ) throws -> [UInt8] {
        var tables = ByteEncoder(capacity: runs.count * ColdGroupFormat.runEntryCount + 64)
        for run in runs {
            tables.append(run.payloads)
            tables.append(run.payloadBytes)
            tables.append(run.kind)
            tables.append(UInt16(0))
        }
        var sections: UInt16 = 0
        var body: [UInt8] = []
        for kind in ColdGroupFormat.Kind.all {
            guard let (method, stored) = try section(kind, &compressor) else { continue }
            sections += 1
            tables.append(kind)
            tables.append(method.rawValue)
            tables.append(UInt8(0))
            tables.append(UInt32(stored.count))
            body.append(contentsOf: stored)
        }
        var block = ByteEncoder(
            capacity: ColdGroupFormat.headCount + tables.bytes.count + body.count)
        block.append(ColdGroupFormat.magic)
        block.append(ColdGroupFormat.version)
        block.append(sections)
        block.append(UInt32(runs.count))
        block.append(raw: ColdGroupFormat.checksum(block.bytes, tables.bytes.raw))
        block.append(raw: tables.bytes)
        block.append(raw: body)
        return block.bytes
    }

    /// The stored form of a kind's section; nil when it has no bytes.
    ///
    /// Differences are stored sparse while fewer than half of the elements changed: from there on their planes
    /// compress as well, and are read faster.
    private mutating func section(
        _ kind: ColdGroupFormat.Kind, _ compressor: inout ZstdCompressor
    ) throws -> (ColdGroupFormat.Method, [UInt8])? {
        guard kind.hasPredecessor else {
            guard let content = contents.removeValue(forKey: kind), !content.isEmpty else {
                return nil
            }
            return try Self.section(content, kind.width, &compressor)
        }
        guard let changes = changes.removeValue(forKey: kind.width), changes.elementCount > 0
        else { return nil }
        if changes.count * 2 < changes.elementCount {
            return (.sparse, try changes.stored(&compressor))
        }
        return try Self.section(changes.dense, kind.width, &compressor)
    }

    /// A frame, unless the content itself is no longer.
    private static func section(
        _ content: [UInt8], _ width: ElementWidth, _ compressor: inout ZstdCompressor
    ) throws -> (ColdGroupFormat.Method, [UInt8]) {
        let plane = width == .one ? .max : max(content.count / width.byteCount, 1)
        let frame = try compressor.frame(
            of: ByteShuffle.shuffled(content, width).raw, piece: plane)
        guard frame.count >= content.count + ColdGroupFormat.checksumCount else {
            return (.compressed, frame)
        }
        return (.stored, content + ColdGroupFormat.checksum([], content.raw))
    }
}

extension ByteEncoder {
    fileprivate mutating func append(_ kind: ColdGroupFormat.Kind) {
        append(kind.width.rawValue)
        append(UInt8(kind.hasPredecessor ? 1 : 0))
    }
}
