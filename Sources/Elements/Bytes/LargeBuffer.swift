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

/// Makes the allocator give buffers of 128 KiB and more back to the system when they are freed, for the rest of the
/// process's life.
///
/// By itself it keeps more and more of them, for each thread apart, the larger those are that were freed (mallopt(3),
/// "M_MMAP_THRESHOLD"): where threads fetch what others keep, memory that nobody uses would break a limit.
package func returnsFreedBuffers() {
    // The module of the C library has no malloc.h; another allocator than its own has no such function.
    guard let symbol = unsafe dlsym(nil, "mallopt") else { return }
    let mallopt = unsafe unsafeBitCast(
        symbol, to: (@convention(c) (_ parameter: Int32, _ value: Int32) -> Int32).self)
    let threshold: Int32 = -3  // M_MMAP_THRESHOLD
    _ = mallopt(threshold, 128 << 10)
}

/// Gives back to the system what was freed and the allocator keeps (malloc_trim(3)).
package func returnFreedBuffers() {
    guard let symbol = unsafe dlsym(nil, "malloc_trim") else { return }
    let trim = unsafe unsafeBitCast(symbol, to: (@convention(c) (_ padding: Int) -> Int32).self)
    _ = trim(0)
}
