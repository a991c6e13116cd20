internal import Elements

/// Gathers the bytes of the same significance: all first bytes of the elements, then all second
/// bytes, and so on.
///
/// The sign and exponent bytes of floats become one run that an entropy coder shortens, apart from
/// the mantissa bytes that are noise (the shuffle filter of Blosc and HDF5). With n whole elements
/// of w bytes, plane p holds byte p of each: `out[p·n + i] = in[w·i + p]`. Bytes at the end that do
/// not fill an element stay where they are. Width 1 changes nothing.
///
/// - Complexity: O(bytes), one allocation of the same size; several GB/s for width 4 on one core.
package enum ByteShuffle {
    /// Elements that are handled at a time, so that all planes of them are read from the cache.
    private static let stride = 1024

    package static func shuffled(_ bytes: [UInt8], _ width: ElementWidth) -> [UInt8] {
        switch width {
        case .one: bytes
        case .two: shuffled(bytes, of: UInt16.self)
        case .four: shuffled(bytes, of: UInt32.self)
        case .eight: shuffled(bytes, of: UInt64.self)
        }
    }

    /// The inverse of ``shuffled(_:_:)``.
    package static func unshuffled(_ bytes: [UInt8], _ width: ElementWidth) -> [UInt8] {
        switch width {
        case .one: bytes
        case .two: unshuffled(bytes, of: UInt16.self)
        case .four: unshuffled(bytes, of: UInt32.self)
        case .eight: unshuffled(bytes, of: UInt64.self)
        }
    }

    private static func shuffled<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ bytes: [UInt8], of type: Word.Type
    ) -> [UInt8] {
        let width = MemoryLayout<Word>.size
        let count = bytes.count / width
        return unsafe mapped(bytes, elementsOf: width) { source, target in
            var start = 0
            while start < count {
                let end = min(start + stride, count)
                for plane in 0..<width {
                    let shift = Word(truncatingIfNeeded: 8 * plane)
                    let out = unsafe target + plane * count
                    // One input, one output and one shift: the compiler makes vector code of it.
                    for index in start..<end {
                        let word = unsafe Word(
                            littleEndian: source.loadUnaligned(
                                fromByteOffset: index &* width, as: Word.self))
                        unsafe out[index] = UInt8(truncatingIfNeeded: word &>> shift)
                    }
                }
                start = end
            }
        }
    }

    private static func unshuffled<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ bytes: [UInt8], of type: Word.Type
    ) -> [UInt8] {
        let width = MemoryLayout<Word>.size
        let count = bytes.count / width
        return unsafe mapped(bytes, elementsOf: width) { source, target in
            let words = UnsafeMutableRawPointer(target)
            var start = 0
            while start < count {
                let end = min(start + stride, count)
                for plane in 0..<width {
                    let shift = Word(truncatingIfNeeded: 8 * plane)
                    let input = unsafe source + plane * count
                    for index in start..<end {
                        let byte = unsafe input.load(fromByteOffset: index, as: UInt8.self)
                        var word = Word(truncatingIfNeeded: byte) &<< shift
                        if plane > 0 {
                            word |= unsafe Word(
                                littleEndian: words.loadUnaligned(
                                    fromByteOffset: index &* width, as: Word.self))
                        }
                        unsafe words.storeBytes(
                            of: word.littleEndian, toByteOffset: index &* width, as: Word.self)
                    }
                }
                start = end
            }
        }
    }

    /// An array as long as `input`: `fill` writes the whole elements, the tail is copied.
    ///
    /// `fill` gets the first byte of the input and of the output.
    private static func mapped(
        _ input: [UInt8], elementsOf width: Int,
        _ fill: (UnsafeRawPointer, UnsafeMutablePointer<UInt8>) -> Void
    ) -> [UInt8] {
        let count = input.count
        guard count >= width else { return input }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialised in
            unsafe input.withUnsafeBytes { source in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                unsafe fill(from, to)
                for index in (count - count % width)..<count { unsafe to[index] = input[index] }
            }
            initialised = count
        }
    }
}
