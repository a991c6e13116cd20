internal import Cambium
internal import Glibc

extension Terminal {
    /// Runs another program in the place of this one.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - arguments: What it is called with, its name left out.
    /// - Returns: Why it cannot be started: `not-found`, `io`.
    static func become(_ path: String, _ arguments: [String]) -> Failure {
        let words = [path] + arguments
        let pointers = unsafe words.map { unsafe strdup($0) } + [nil]
        unsafe execv(path, pointers)
        let code = errno
        unsafe pointers.forEach { unsafe free($0) }
        return Failure(
            code == ENOENT ? .notFound : .io,
            unsafe "cannot start \(path): \(String(cString: strerror(code)))")
    }
}
