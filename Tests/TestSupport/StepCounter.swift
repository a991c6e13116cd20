internal import Glibc
internal import Synchronization

/// Counts the steps that a store reports, and ends the process at one of them as a power switch
/// would.
package final class StepCounter: Sendable {
    private let names = Mutex<[String]>([])
    private let fatal: Int?

    /// - Parameter fatal: The step, from 1, at which the process kills itself.
    package init(killingAt fatal: Int? = nil) { self.fatal = fatal }

    package var steps: [String] { names.withLock { $0 } }

    /// What to pass as the observer.
    package var call: @Sendable (String) -> Void {
        { name in
            let count = self.names.withLock { names in
                names.append(name)
                return names.count
            }
            if count == self.fatal { kill(getpid(), SIGKILL) }
        }
    }
}

/// Copies a store that nobody has open.
package func copyStore(_ source: String, to target: String) throws {
    guard unsafe mkdir(target, 0o777) == 0 else {
        throw ScratchError(what: "mkdir \(target)", number: errno)
    }
    let input = unsafe open(source + "/data.mdb", O_RDONLY | O_CLOEXEC)
    let output = unsafe open(target + "/data.mdb", O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    defer {
        close(input)
        close(output)
    }
    var count = 1
    while count > 0 {
        count = sendfile(output, input, nil, 1 << 24)
    }
    guard count == 0 else { throw ScratchError(what: "copy \(source)", number: errno) }
}
