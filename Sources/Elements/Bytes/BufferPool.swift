internal import Synchronization

/// Memory that goes from one owner to the next: of a fresh buffer the system clears and maps each page, which takes as
/// long as to fill it.
@safe package final class BufferPool: Sendable {
    @safe private struct Buffer: @unchecked Sendable {
        // Nobody else has it.
        let memory: UnsafeMutableRawBufferPointer

        var count: Int { unsafe memory.count }
    }

    private let free = Mutex<[Int: [Buffer]]>([:])

    package init() {}

    deinit { drop { _ in true } }

    /// A buffer of this size; others that are free go when there is none, so that they do not pile up.
    @unsafe func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if let found = unsafe free.withLock({ unsafe $0[count]?.popLast()?.memory }) {
            return unsafe found
        }
        drop { $0 != count }
        return unsafe .allocateLarge(byteCount: count)
    }

    /// Takes a buffer back.
    @unsafe func give(_ memory: UnsafeMutableRawBufferPointer) {
        let buffer = unsafe Buffer(memory: memory)
        free.withLock { $0[buffer.count, default: []].append(buffer) }
    }

    private func drop(_ isDropped: (Int) -> Bool) {
        let dropped = free.withLock { free in
            let keys = free.keys.filter(isDropped)
            return keys.flatMap { free.removeValue(forKey: $0) ?? [] }
        }
        for buffer in dropped { unsafe buffer.memory.deallocate() }
    }
}
