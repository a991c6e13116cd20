internal import Glibc

/// Shared floats at an address that is a multiple of 64 bytes, zero at first: weights, gradients and
/// activations of training.
///
/// Threads may use it at the same time as long as they write different elements, and none reads what
/// another writes: who shares the work sees to that, since the compiler leaves the synchronisation of an
/// `@unchecked Sendable` class to its author (SE-0302, "Unchecked Sendable"). Distinct elements are
/// distinct memory locations of C, which threads may write at once (ISO C11, 3.14 and 5.1.2.4).
@safe package final class FloatMemory: @unchecked Sendable {
    private static let hugePage = 1 << 21
    let base: UnsafeMutablePointer<Float>
    package let count: Int

    /// - Complexity: O(`count`), zeros all memory.
    package init(count: Int) {
        precondition(count >= 0, "\(count) floats")
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        // Rows of a big table are read at random: with huge pages their addresses are found at once.
        let isLarge = bytes >= 2 * Self.hugePage
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: bytes, alignment: isLarge ? Self.hugePage : 64)
        if isLarge { _ = unsafe madvise(memory, bytes, MADV_HUGEPAGE) }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe base = memory.bindMemory(to: Float.self, capacity: max(count, 1))
        self.count = count
    }

    deinit { unsafe base.deallocate() }

    /// All of it.
    package var slice: FloatSlice { FloatSlice(self, 0, count) }

    /// The elements of `range`; traps when it is out of bounds.
    package subscript(range: Range<Int>) -> FloatSlice { slice[range] }
}

/// Some elements of a ``FloatMemory``, which it keeps alive; may be shared as that may.
@safe package struct FloatSlice: @unchecked Sendable {
    private let memory: FloatMemory
    private let start: Int
    package let count: Int

    init(_ memory: FloatMemory, _ start: Int, _ count: Int) {
        self.memory = memory
        self.start = start
        self.count = count
    }

    /// Where the first element is.
    @unsafe var pointer: UnsafeMutablePointer<Float> { unsafe memory.base + start }

    /// The elements of `range`, counted from the start of these; traps when it is out of bounds.
    package subscript(range: Range<Int>) -> FloatSlice {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count, "elements \(range) of \(count)")
        return FloatSlice(memory, start + range.lowerBound, range.count)
    }

    /// Traps when `index` is out of bounds.
    package subscript(index: Int) -> Float {
        get {
            precondition(index >= 0 && index < count, "element \(index) of \(count)")
            return unsafe pointer[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count, "element \(index) of \(count)")
            unsafe pointer[index] = newValue
        }
    }

    package var array: [Float] {
        unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
    }

    package func fill(_ value: Float) { unsafe pointer.update(repeating: value, count: count) }

    package func copy(_ other: FloatSlice) {
        precondition(count == other.count, "\(other.count) elements into \(count)")
        unsafe pointer.update(from: other.pointer, count: count)
    }

    package func copy(_ values: [Float]) {
        precondition(count == values.count, "\(values.count) elements into \(count)")
        unsafe values.withUnsafeBufferPointer { source in
            guard let source = source.baseAddress else { return }
            unsafe pointer.update(from: source, count: count)
        }
    }

    /// self += a other, element by element.
    package func add(_ other: FloatSlice, times a: Float = 1) {
        precondition(count == other.count, "\(other.count) elements to \(count)")
        var target = unsafe MutableSpan(_unsafeStart: pointer, count: count)
        Kernels.axpy(a, unsafe Span(_unsafeStart: other.pointer, count: count), into: &target)
    }

    package func scale(_ a: Float) {
        let pointer = unsafe pointer
        for index in 0..<count { unsafe pointer[index] *= a }
    }

    /// A view to read.
    package func withSpan<Result>(_ body: (Span<Float>) -> Result) -> Result {
        body(unsafe Span(_unsafeStart: pointer, count: count))
    }

    /// A view to write.
    package func withMutableSpan<Result>(_ body: (inout MutableSpan<Float>) -> Result) -> Result {
        var span = unsafe MutableSpan(_unsafeStart: pointer, count: count)
        return body(&span)
    }
}
