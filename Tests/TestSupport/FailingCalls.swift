internal import CFaults
internal import Glibc

/// Which calls a fault counts.
package enum CountedCalls: Sendable {
    /// Those that change the disk: writes, syncs, new names.
    case changing
    /// Those that read it.
    case reading
}

/// What a body gave, and how many calls were counted while it ran.
package struct CountedRun<Result> {
    package let result: Result
    package let calls: Int
}

/// Runs `body` while a system call on files below a folder fails.
///
/// The functions of `CFaults` stand in front of the C library's in the whole test program, LMDB's calls
/// included; a folder of one's own keeps tests apart.
///
/// - Parameters:
///   - at: Which of the calls fails, from 1; 0 for none, to count them.
///   - folder: Its absolute path, without links.
///   - number: The error; 0 lets a write do half of what it was asked to.
package func failingCall<Result>(
    _ at: Int, of calls: CountedCalls = .changing, in folder: String, error number: Int32 = EIO,
    _ body: () throws -> Result
) throws -> CountedRun<Result> {
    let mode = calls == .changing ? CAMBIUM_FAULT_FAIL : CAMBIUM_FAULT_FAIL_READ
    let fault = unsafe cambium_fault_arm(folder, Int32(mode.rawValue), at, number)
    guard fault >= 0 else { throw ScratchError(what: "arm a fault in \(folder)", number: EAGAIN) }
    var count = 0
    let outcome = Swift::Result { try body() }
    count = cambium_fault_disarm(fault)
    return CountedRun(result: try outcome.get(), calls: count)
}
