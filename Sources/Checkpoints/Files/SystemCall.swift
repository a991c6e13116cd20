internal import Elements
internal import Glibc

/// Runs a C call that returns -1 on failure, again as long as a signal interrupts it.
@discardableResult
func check<Result: SignedInteger>(
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
func systemError(_ action: String, _ path: String, _ number: Int32) -> CambiumError {
    let reason = unsafe String(cString: strerror(number))
    switch number {
    case ENOENT:
        return CambiumError(
            .notFound, path.isEmpty ? "the path is empty" : "\(path) does not exist")
    case ENOTDIR:
        return CambiumError(
            .notFound, "cannot \(action) \(path): what stands before a / is not a folder")
    case EFBIG:
        return CambiumError(
            .limit,
            "cannot \(action) \(path): \(reason): a limit of this process (ulimit -f) or of the file system"
        )
    case EMFILE, ENFILE:
        return CambiumError(.limit, "cannot \(action) \(path): \(reason) (ulimit -n)")
    case ENOMEM:
        return CambiumError(
            .limit, "cannot \(action) \(path): \(reason): a limit of this process (ulimit -v)")
    case ENOSPC, EDQUOT:
        return CambiumError(
            .diskFull, "cannot \(action) \(path): \(reason); free some space and try again")
    default:
        return CambiumError(.io, "cannot \(action) \(path): \(reason)")
    }
}
