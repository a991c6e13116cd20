internal import Glibc

/// The size of a huge page on all machines that have the usual small ones.
private let hugePage = 2 << 20

extension UnsafeMutableRawBufferPointer {
    /// Memory that is not initialised, of huge pages where it has some: those are cleared and mapped many times faster
    /// than as many small ones.
    ///
    /// The alignment is the allocator's own below a huge page: asking for more wastes room beside every small expert.
    ///
    /// - Parameter alignment: At least.
    package static func allocateLarge(
        byteCount count: Int, alignment: Int = 16
    ) -> UnsafeMutableRawBufferPointer {
        guard count >= hugePage else {
            return UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: alignment)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: count, alignment: Swift.max(alignment, hugePage))
        // Advice only: without huge pages it is memory all the same.
        _ = unsafe madvise(buffer.baseAddress, count / hugePage * hugePage, MADV_HUGEPAGE)
        return unsafe buffer
    }
}
