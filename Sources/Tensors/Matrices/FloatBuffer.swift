/// Owned floats at an address that is a multiple of 64 bytes, zero at first.
///
/// Working memory of the kernels. Freed with the value; never grows.
@safe package struct FloatBuffer: ~Copyable {
    private let memory: FloatMemory
    package let count: Int

    private var base: UnsafeMutablePointer<Float> { unsafe memory.base }

    /// - Complexity: O(`count`), zeros all memory.
    package init(count: Int) {
        memory = FloatMemory(count: count)
        self.count = count
    }

    package var span: Span<Float> {
        @_lifetime(borrow self) get {
            let span = unsafe Span(_unsafeStart: base, count: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The elements of `range`, to read.
    ///
    /// Traps when the range is out of bounds.
    @_lifetime(borrow self)
    package func span(_ range: Range<Int>) -> Span<Float> {
        check(range)
        let span = unsafe Span(_unsafeStart: base + range.lowerBound, count: range.count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The elements of `range`, to write.
    ///
    /// Traps when the range is out of bounds.
    @_lifetime(&self)
    package mutating func mutableSpan(_ range: Range<Int>) -> MutableSpan<Float> {
        check(range)
        let span = unsafe MutableSpan(_unsafeStart: base + range.lowerBound, count: range.count)
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// A copy of the elements of `range`.
    package func array(_ range: Range<Int>) -> [Float] {
        check(range)
        return unsafe [Float](unsafeUninitializedCapacity: range.count) { target, initialised in
            guard !range.isEmpty, let start = target.baseAddress else { return }
            unsafe start.initialize(from: base + range.lowerBound, count: range.count)
            initialised = range.count
        }
    }

    private func check(_ range: Range<Int>) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count,
            "elements \(range) of a buffer of \(count)")
    }
}
