internal import Glibc

extension [UInt8] {
    /// The array's bytes, borrowed.
    ///
    /// `Span.bytes` counts as unsafe for types with padding; bytes have none.
    package var raw: RawSpan {
        @_lifetime(borrow self) get {
            let bytes = unsafe span.bytes
            return bytes
        }
    }
}

extension RawSpan {
    /// The little-endian number at `offset`, which need not be aligned.
    ///
    /// Traps out of bounds.
    @inlinable
    package func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Number.Type = Number.self
    ) -> Number {
        unsafe Number(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// Whether all bytes are 0.
    package var isZero: Bool {
        let words = byteCount / 8
        for word in 0..<words where number(at: 8 * word, as: UInt64.self) != 0 { return false }
        for offset in 8 * words..<byteCount where number(at: offset, as: UInt8.self) != 0 {
            return false
        }
        return true
    }

    /// A copy of the bytes in `range`.
    ///
    /// Traps out of bounds.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBytes { unsafe Array($0) }
    }
}

extension RawSpan {
    /// Whether both hold the same bytes; at the speed of memory, many of them on all cores.
    ///
    /// The corresponding function is `memcmp`.
    package func hasSameBytes(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return unsafe withUnsafeBytes { left in
            unsafe other.withUnsafeBytes { right in
                guard let first = left.baseAddress, let second = right.baseAddress else {
                    return true
                }
                let part = 1 << 20
                guard left.count >= 4 * part else {
                    return unsafe memcmp(first, second, left.count) == 0
                }
                // Both stay borrowed until all threads are done.
                let (start, other) = (UInt(bitPattern: first), UInt(bitPattern: second))
                let count = left.count
                return concurrentMap((count + part - 1) / part, grain: 1) { number in
                    let offset = UInt(number * part)
                    guard let left = unsafe UnsafeRawPointer(bitPattern: start + offset),
                        let right = unsafe UnsafeRawPointer(bitPattern: other + offset)
                    else { return false }
                    return unsafe memcmp(left, right, min(part, count - number * part)) == 0
                }.allSatisfy { $0 }
            }
        }
    }
}

extension [Float] {
    /// The elements one after the other, little-endian.
    package var littleEndianBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * count)
        for value in self {
            for shift in 0..<4 {
                bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * shift)))
            }
        }
        return bytes
    }
}

extension MutableRawSpan {
    /// Fills parts of one size, one after the other, on all cores.
    ///
    /// - Parameters:
    ///   - count: Of parts; together they are as many bytes as there are.
    ///   - part: Called for each once, from any thread; gives `size` bytes.
    /// - Throws: What `part` throws, of those that failed the first; then some parts may be filled.
    package mutating func fill(
        _ count: Int, of size: Int, _ part: @Sendable (Int) throws -> MappedBytes
    ) throws {
        precondition(byteCount == count * size, "\(count) parts of \(size) bytes for \(byteCount)")
        let block = max(1, (1 << 20) / max(1, size))
        let failures = unsafe withUnsafeMutableBytes { bytes -> [(any Error)?] in
            guard let start = bytes.baseAddress else { return [] }
            // It stays borrowed until all threads are done; no two write to one place.
            let address = UInt(bitPattern: start)
            return concurrentMap((count + block - 1) / block, grain: 1) { number in
                do {
                    for position in number * block..<min(count, (number + 1) * block) {
                        let new = try part(position)
                        precondition(new.count == size, "part \(position) has \(new.count) bytes")
                        let place = unsafe UnsafeMutableRawPointer(
                            bitPattern: address + UInt(position * size))
                        unsafe place?.copyMemory(from: new.start, byteCount: size)
                    }
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let failure = failures.lazy.compactMap({ $0 }).first { throw failure }
    }
}
