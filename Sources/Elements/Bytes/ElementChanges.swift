extension RawSpan {
    /// The elements of so many bytes whose bits differ from those of `old`, ascending.
    ///
    /// - Parameters:
    ///   - old: As many bytes.
    ///   - width: Bytes of an element: 1, 2, 4 or 8.
    /// - Complexity: 32 equal bytes cost four loads of each side and one branch.
    package func elements(differingFrom old: RawSpan, width: Int) -> [Int] {
        precondition(
            byteCount == old.byteCount && [1, 2, 4, 8].contains(width) && byteCount % width == 0,
            "\(byteCount) and \(old.byteCount) bytes in elements of \(width)")
        var found: [Int] = []
        unsafe withUnsafeBytes { left in
            unsafe old.withUnsafeBytes { right in
                unsafe appendDifferences(left, right, width, to: &found)
            }
        }
        return found
    }

    /// Some elements of so many bytes, one after the other.
    ///
    /// Traps out of bounds.
    ///
    /// - Parameter width: Bytes of an element: 1, 2, 4 or 8.
    package func elements(at indices: [Int], width: Int) -> [UInt8] {
        switch width {
        case 1: gather(UInt8.self, indices)
        case 2: gather(UInt16.self, indices)
        case 4: gather(UInt32.self, indices)
        default: gather(UInt64.self, indices)
        }
    }

    private func gather<Element: FixedWidthInteger & BitwiseCopyable>(
        _ type: Element.Type, _ indices: [Int]
    ) -> [UInt8] {
        let width = MemoryLayout<Element>.size
        return unsafe [UInt8](unsafeUninitializedCapacity: indices.count * width) { bytes, count in
            var offset = 0
            for index in indices {
                unsafe UnsafeMutableRawBufferPointer(bytes).storeBytes(
                    of: unsafeLoadUnaligned(fromByteOffset: index * width, as: Element.self),
                    toByteOffset: offset, as: Element.self)
                offset += width
            }
            count = offset
        }
    }
}

/// Words are compared first, four at a time; of a word that differs, its elements.
private func appendDifferences(
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, _ width: Int,
    to found: inout [Int]
) {
    let shift = width.trailingZeroBitCount
    let mask = width == 8 ? UInt64.max : 1 << UInt64(8 * width) - 1
    func word(_ offset: Int) -> UInt64 {
        unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            ^ right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
    func append(_ differing: UInt64, _ offset: Int) {
        var rest = UInt64(littleEndian: differing)
        while rest != 0 {
            let lane = rest.trailingZeroBitCount >> (3 + shift)
            found.append(offset >> shift + lane)
            rest &= ~(mask << UInt64(lane << (3 + shift)))
        }
    }
    var offset = 0
    while offset + 32 <= left.count {
        let words = (word(offset), word(offset + 8), word(offset + 16), word(offset + 24))
        if words.0 | words.1 | words.2 | words.3 != 0 {
            append(words.0, offset)
            append(words.1, offset + 8)
            append(words.2, offset + 16)
            append(words.3, offset + 24)
        }
        offset += 32
    }
    while offset < left.count {
        let element = offset..<(offset + width)
        if element.contains(where: { unsafe left[$0] != right[$0] }) {
            found.append(offset >> shift)
        }
        offset += width
    }
}

extension MutableRawSpan {
    /// Replaces elements of so many bytes.
    ///
    /// - Parameters:
    ///   - indices: Which of those in `range`, counted from its beginning.
    ///   - range: Bytes within these; traps when it is out of bounds.
    ///   - values: As many elements, one after the other.
    ///   - width: Bytes of an element: 1, 2, 4 or 8.
    /// - Returns: False when an index is out of the range; those before it are replaced by then.
    package mutating func replace(
        elements indices: [Int], in range: Range<Int>, by values: RawSpan, width: Int
    ) -> Bool {
        precondition(range.upperBound <= byteCount, "\(range) of \(byteCount) bytes")
        return switch width {
        case 1: scatter(UInt8.self, indices, range, values)
        case 2: scatter(UInt16.self, indices, range, values)
        case 4: scatter(UInt32.self, indices, range, values)
        default: scatter(UInt64.self, indices, range, values)
        }
    }

    private mutating func scatter<Element: FixedWidthInteger & BitwiseCopyable>(
        _ type: Element.Type, _ indices: [Int], _ range: Range<Int>, _ values: RawSpan
    ) -> Bool {
        let width = MemoryLayout<Element>.size
        let count = range.count / width
        var offset = 0
        for index in indices {
            guard index >= 0, index < count else { return false }
            let value = unsafe values.unsafeLoadUnaligned(fromByteOffset: offset, as: Element.self)
            storeBytes(of: value, toByteOffset: range.lowerBound + index * width, as: Element.self)
            offset += width
        }
        return true
    }

    /// Replaces the bytes from `offset` on.
    ///
    /// Traps out of bounds.
    package mutating func replace(at offset: Int, by bytes: RawSpan) {
        precondition(
            offset >= 0 && bytes.byteCount <= byteCount - offset,
            "\(bytes.byteCount) bytes at \(offset) of \(byteCount)")
        unsafe withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset...])
                    .copyMemory(from: source)
            }
        }
    }
}

extension [UInt8] {
    /// The array's bytes, to be changed in place.
    package mutating func withRawBytes<Result, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var elements = mutableSpan
        var bytes = unsafe elements.mutableBytes
        return try body(&bytes)
    }
}

extension [Int] {
    /// The numbers one after the other, little-endian; of wider ones the low bytes.
    ///
    /// - Parameter width: Bytes of each: 4 or 8.
    package func littleEndianBytes(width: Int) -> [UInt8] {
        width == 4 ? littleEndianBytes(UInt32.self) : littleEndianBytes(UInt64.self)
    }

    private func littleEndianBytes<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type
    ) -> [UInt8] {
        let width = MemoryLayout<Number>.size
        return unsafe [UInt8](unsafeUninitializedCapacity: count * width) { bytes, length in
            for (position, number) in enumerated() {
                unsafe UnsafeMutableRawBufferPointer(bytes).storeBytes(
                    of: Number(truncatingIfNeeded: number).littleEndian,
                    toByteOffset: position * width, as: Number.self)
            }
            length = count * width
        }
    }
}
