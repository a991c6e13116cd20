internal import Elements

/// The elements of payloads that differ from their predecessors': where, and by how much.
///
/// The payloads of a section lie one after the other; an element's position counts from the first payload's first
/// element. A changed element is kept as the zigzag of its difference (``VersionDelta``) less one, since it is never
/// zero; its position as the number of equal elements in front of it. Both are small numbers where little changed.
///
/// At 1 % of bf16 elements changed by an optimiser's step, what is stored takes about 1.3 bytes for a changed element:
/// 1.0 for the gap, whose entropy is 8.1 bits there, and 0.3 for the step.
struct ChangedWords: Sendable {
    let width: ElementWidth
    /// Elements of all payloads that were added.
    private(set) var elementCount = 0
    /// The gaps in front of the changed elements: a byte 255 stands for 255 and goes on, any other ends the number.
    private(set) var gaps: [UInt8] = []
    /// The zigzag differences less one, each of the element's width, little-endian.
    private(set) var words: [UInt8] = []
    /// Equal elements behind the last changed one.
    private var pending = 0
    /// The bits that any of the words has.
    private var bits: UInt64 = 0

    var count: Int { words.count / width.byteCount }

    /// Bytes of memory that it takes, about.
    var memory: Int { gaps.count + words.count }

    /// About what the stored form takes at most: planes of the words that are all zeros take next to nothing.
    var storedBound: Int { gaps.count + count * (71 - bits.leadingZeroBitCount) / 8 }

    init(_ width: ElementWidth) { self.width = width }

    /// The width of a payload's elements; one whose last element is cut off has bytes.
    static func width(_ width: ElementWidth, _ byteCount: Int) -> ElementWidth {
        byteCount % width.byteCount == 0 ? width : .one
    }

    /// Adds a payload's changes; its length must be the predecessor's, and a multiple of the width.
    ///
    /// - Complexity: Reads both once; costs grow with the changed elements beyond that.
    mutating func add(_ payload: RawSpan, predecessor: RawSpan) {
        precondition(
            payload.byteCount == predecessor.byteCount
                && payload.byteCount % width.byteCount == 0, "payloads of other lengths")
        unsafe payload.withUnsafeBytes { new in
            unsafe predecessor.withUnsafeBytes { old in
                guard let new = new.baseAddress, let old = old.baseAddress else { return }
                let size = payload.byteCount
                switch width {
                case .one: unsafe scan(new, old, size, UInt8.self)
                case .two: unsafe scan(new, old, size, UInt16.self)
                case .four: unsafe scan(new, old, size, UInt32.self)
                case .eight: unsafe scan(new, old, size, UInt64.self)
                }
            }
        }
        elementCount += payload.byteCount / width.byteCount
    }

    /// Adds the changes of the payloads that another has.
    mutating func append(_ other: ChangedWords) {
        precondition(width == other.width, "changes of other widths")
        elementCount += other.elementCount
        guard let end = other.gaps.firstIndex(where: { $0 < 255 }) else {
            pending += other.pending
            return
        }
        appendGap(pending + end * 255 + Int(other.gaps[end]))
        gaps.append(contentsOf: other.gaps[(end + 1)...])
        words.append(contentsOf: other.words)
        pending = other.pending
        bits |= other.bits
    }

    private mutating func appendGap(_ count: Int) {
        var count = count
        while count >= 255 {
            gaps.append(255)
            count &-= 255
        }
        gaps.append(UInt8(truncatingIfNeeded: count))
    }

    /// Looks through 32 bytes at a time, in most of which nothing changed.
    private mutating func scan<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ new: UnsafeRawPointer, _ old: UnsafeRawPointer, _ size: Int, _: Word.Type
    ) {
        let wide = 32
        let step = MemoryLayout<Word>.size
        var offset = 0
        while offset < size {
            if offset + wide <= size {
                var changed: UInt64 = 0
                for part in 0..<4 {
                    let place = offset &+ part &* 8
                    let value = unsafe new.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    let before = unsafe old.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    changed |= value ^ before
                }
                if changed == 0 {
                    pending &+= wide / step
                    offset &+= wide
                    continue
                }
            }
            let end = min(offset + wide, size)
            while offset < end {
                let value = unsafe Word(
                    littleEndian: new.loadUnaligned(fromByteOffset: offset, as: Word.self))
                let before = unsafe Word(
                    littleEndian: old.loadUnaligned(fromByteOffset: offset, as: Word.self))
                if value == before { pending &+= 1 } else { append(value &- before) }
                offset &+= step
            }
        }
    }

    private mutating func append<Word: FixedWidthInteger & UnsignedInteger>(_ difference: Word) {
        appendGap(pending)
        pending = 0
        var word = VersionDelta.zigzagged(difference) &- 1
        bits |= UInt64(word)
        for _ in 0..<MemoryLayout<Word>.size {
            words.append(UInt8(truncatingIfNeeded: word))
            word = MemoryLayout<Word>.size == 1 ? 0 : word &>> Word(8)
        }
    }
}

extension ChangedWords {
    /// What every element's zigzag difference is, most of them 0: the section's dense form.
    var dense: [UInt8] {
        var content = [UInt8](repeating: 0, count: elementCount * width.byteCount)
        var position = -1
        var number = 0
        for gap in gaps {
            position += Int(gap)
            guard gap < 255 else { continue }
            position += 1
            var carry = true
            for byte in 0..<width.byteCount {
                let digit = words[number * width.byteCount + byte]
                content[position * width.byteCount + byte] = carry ? digit &+ 1 : digit
                carry = carry && digit == 255
            }
            number += 1
        }
        return content
    }

    /// The stored form: u32 changed elements, u32 bytes of gaps, u32 bytes of the gaps' frame; a frame of the gaps;
    /// a frame of the shuffled words.
    func stored(_ compressor: inout ZstdCompressor) throws -> [UInt8] {
        let places = try compressor.frame(of: gaps.raw)
        let steps = try compressor.frame(
            of: ByteShuffle.shuffled(words, width).raw, piece: max(count, 1))
        var encoder = ByteEncoder(capacity: 12 + places.count + steps.count)
        encoder.append(UInt32(count))
        encoder.append(UInt32(gaps.count))
        encoder.append(UInt32(places.count))
        encoder.append(raw: places)
        encoder.append(raw: steps)
        return encoder.bytes
    }
}

/// The changed elements of a section, read back: their positions ascend.
struct WordChanges: Sendable {
    private let width: ElementWidth
    private let positions: [UInt32]
    /// The zigzag differences less one, element by element.
    private let words: [UInt8]

    /// Reads a stored form; any bytes may be given.
    ///
    /// - Parameter elements: Of all payloads of the section.
    /// - Throws: `.corrupt` when the bytes are not such a form, are damaged, or change elements that there are not.
    init(
        _ bytes: RawSpan, _ width: ElementWidth, elements: Int,
        _ decompressor: inout ZstdDecompressor
    ) throws {
        self.width = width
        guard bytes.byteCount >= 12 else { throw ColdGroup.corrupt("ends within a section") }
        let count = Int(bytes.number(at: 0, as: UInt32.self))
        let gapCount = Int(bytes.number(at: 4, as: UInt32.self))
        let frame = Int(bytes.number(at: 8, as: UInt32.self))
        // A gap has a byte, and one more for each 255 elements that it passes.
        guard count <= elements, count <= gapCount, gapCount - count <= elements / 255,
            frame <= bytes.byteCount - 12
        else { throw ColdGroup.corrupt("has more changes than elements") }
        let gaps = try decompressor.content(
            of: bytes.extracting(12..<(12 + frame)), count: gapCount)
        words = ByteShuffle.unshuffled(
            try decompressor.content(
                of: bytes.extracting((12 + frame)..<bytes.byteCount),
                count: count * width.byteCount), width)
        var positions: [UInt32] = []
        positions.reserveCapacity(count)
        var position = -1
        for gap in gaps {
            position += Int(gap)
            guard gap < 255 else { continue }
            position += 1
            guard position < elements else {
                throw ColdGroup.corrupt("changes element \(position) of \(elements)")
            }
            positions.append(UInt32(truncatingIfNeeded: position))
        }
        guard positions.count == count, gaps.last != 255 else {
            throw ColdGroup.corrupt("has \(positions.count) places for \(count) changes")
        }
        self.positions = positions
    }

    /// Bytes of memory that it takes, about.
    var memory: Int { positions.count * 4 + words.count }

    /// Turns the bytes of a payload's version before into those of the payload.
    ///
    /// - Parameters:
    ///   - first: The position of its first element.
    ///   - bytes: A whole number of elements.
    /// - Complexity: A step for each changed element.
    func apply(from first: Int, to bytes: inout MutableRawSpan) {
        switch width {
        case .one: apply(from: first, to: &bytes, UInt8.self)
        case .two: apply(from: first, to: &bytes, UInt16.self)
        case .four: apply(from: first, to: &bytes, UInt32.self)
        case .eight: apply(from: first, to: &bytes, UInt64.self)
        }
    }

    private func apply<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        from first: Int, to bytes: inout MutableRawSpan, _: Word.Type
    ) {
        let step = MemoryLayout<Word>.size
        let end = first + bytes.byteCount / step
        let start = number(from: first)
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe words.withUnsafeBytes { words in
                for number in start..<positions.count {
                    let position = Int(positions[number])
                    guard position < end else { break }
                    let offset = (position &- first) &* step
                    let old = unsafe Word(
                        littleEndian: target.loadUnaligned(fromByteOffset: offset, as: Word.self))
                    let word = unsafe Word(
                        littleEndian: words.loadUnaligned(
                            fromByteOffset: number &* step, as: Word.self))
                    let new = old &+ VersionDelta.unzigzagged(word &+ 1)
                    unsafe target.storeBytes(
                        of: new.littleEndian, toByteOffset: offset, as: Word.self)
                }
            }
        }
    }

    /// The number of changes in front of an element.
    private func number(from first: Int) -> Int {
        var low = 0
        var high = positions.count
        while low < high {
            let middle = (low + high) / 2
            if Int(positions[middle]) < first { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
