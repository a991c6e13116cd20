/// Immutable bytes that some owner keeps mapped: a record of the store or a checkpoint file.
///
/// Nothing is copied. The bytes stay valid as long as this value, which retains the owner, lives.
@safe package struct MappedBytes: Sendable {
    // The pointer is read-only and `owner` keeps what it points to alive and unchanged.
    nonisolated(unsafe) fileprivate let base: UnsafeRawPointer
    package let count: Int
    private let owner: any AnyObject & Sendable

    /// - Parameters:
    ///   - bytes: Memory that stays mapped and unchanged while `owner` lives.
    @unsafe package init(_ bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        // An empty buffer may have no address; any non-null one serves, since it is never read.
        unsafe self.base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
        self.count = bytes.count
        self.owner = owner
    }

    /// Bytes in memory of their own.
    package init(copying bytes: [UInt8]) {
        let held = HeldCopy(bytes)
        unsafe self.init(UnsafeRawBufferPointer(held.buffer), owner: held)
    }

    /// Bytes in memory of their own, written once.
    ///
    /// - Parameters:
    ///   - zeroed: Whether the bytes begin as zeros; if not, `body` must write each of them.
    ///   - pool: Where their memory comes from, and goes to when nobody holds them any more; nil for the allocator.
    ///   - body: Fills the bytes.
    package init<Failure: Error>(
        count: Int, zeroed: Bool = true, from pool: BufferPool? = nil,
        _ body: (inout MutableRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        let held = HeldCopy(count: count, zeroed: zeroed, pool)
        var span = unsafe MutableRawSpan(_unsafeBytes: held.buffer)
        try body(&span)
        unsafe self.init(UnsafeRawBufferPointer(held.buffer), owner: held)
    }

    /// Where the bytes begin; valid as long as they are.
    @unsafe package var start: UnsafeRawPointer { unsafe base }

    /// Where the bytes begin, as a number: for advice and for reading the file beside the map.
    package var address: UInt { unsafe UInt(bitPattern: base) }

    /// The bytes in place, borrowed from this value.
    package var bytes: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe RawSpan(_unsafeStart: base, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// A part of the bytes, sharing the owner.
    ///
    /// Traps when the range is out of bounds.
    package func slice(_ range: Range<Int>) -> MappedBytes {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count,
            "slice \(range) of \(count) mapped bytes")
        return unsafe MappedBytes(
            UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count), owner: owner
        )
    }
}

/// Bytes that are copied once and never changed.
@safe private final class HeldCopy: @unchecked Sendable {
    // Written here and only read afterwards.
    let buffer: UnsafeMutableRawBufferPointer

    convenience init(_ bytes: [UInt8]) {
        self.init(count: bytes.count, zeroed: false)
        unsafe buffer.copyBytes(from: bytes)
    }

    private let pool: BufferPool?

    init(count: Int, zeroed: Bool, _ pool: BufferPool? = nil) {
        self.pool = pool
        unsafe buffer = pool?.take(count) ?? .allocateLarge(byteCount: count)
        if zeroed { unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0) }
    }

    deinit {
        if let pool { unsafe pool.give(buffer) } else { unsafe buffer.deallocate() }
    }
}

extension MappedBytes {
    /// A copy of the bytes.
    package func copy() -> [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// The same bytes in memory of their own, read from the disk all together.
    package func alone() -> MappedBytes {
        Self.willNeed([self])
        return MappedBytes(count: count, zeroed: false) { $0.replace(at: 0, by: bytes) }
    }

    /// Lends the bytes to code that needs a buffer pointer, such as a hash or a C kernel.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe try body(UnsafeRawBufferPointer(start: base, count: count))
    }
}
