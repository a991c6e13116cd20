package import Elements
internal import Glibc

/// Runs a C call that returns -1 on failure, again as long as a signal interrupts it.
@discardableResult
package func check<Result: SignedInteger>(
    _ action: String, _ path: String, _ call: () -> Result
) throws -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let number = errno
        if number != EINTR { throw systemError(action, path, number) }
    }
}

/// The error for `errno` number `number`: what was tried, on what, and the system's words.
package func systemError(_ action: String, _ path: String, _ number: Int32) -> CambiumError {
    let failure = "cannot \(action) \(path): \(words(number))"
    return switch number {
    case ENOENT:
        CambiumError(.notFound, path.isEmpty ? "the path is empty" : "\(path) does not exist")
    case ENOTDIR:
        CambiumError(
            .notFound, "cannot \(action) \(path): what stands before a / is not a folder")
    case EFBIG:
        CambiumError(
            .limit, failure + ": a limit of this process (ulimit -f) or of the file system")
    case EMFILE, ENFILE: CambiumError(.limit, failure + " (ulimit -n)")
    case ENOMEM: CambiumError(.limit, failure + ": a limit of this process (ulimit -v)")
    case ENOSPC, EDQUOT: CambiumError(.diskFull, failure + "; free some space and try again")
    default: CambiumError(.io, failure)
    }
}

/// The same for a file of a store: where something may not be done there, the store is only to be read.
package func storeError(
    _ action: String, _ path: String, _ number: Int32 = errno
) -> CambiumError {
    let code: CambiumError.Code
    switch number {
    // A folder on the way to the path may be what is missing.
    case ENOENT: code = .notFound
    case EACCES, EROFS, EPERM: code = .readOnly
    default: return systemError(action, path, number)
    }
    return CambiumError(code, "cannot \(action) \(path): \(words(number))")
}

private func words(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }
