/// What went wrong in the key-value layer: LMDB, a lock file or the operating system.
package struct KeyValueError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; a struct, so that a new kind breaks no caller.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        package static let notFound = Code(rawValue: "not-found")
        package static let notAStore = Code(rawValue: "not-a-store")
        package static let corrupt = Code(rawValue: "corrupt")
        package static let diskFull = Code(rawValue: "disk-full")
        package static let readOnly = Code(rawValue: "read-only")
        package static let busy = Code(rawValue: "busy")
        package static let io = Code(rawValue: "io")
        package static let exists = Code(rawValue: "exists")
        /// A file of the store has another name, in another store.
        package static let hardLinked = Code(rawValue: "hard-linked")
        /// A limit of the process (setrlimit(2)).
        package static let limit = Code(rawValue: "limit")
        package static let poisoned = Code(rawValue: "poisoned")
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

/// An error of an upper layer that can carry a ``KeyValueError`` as its cause, so that one
/// transaction body has one error type.
package protocol CarriesKeyValueError: Error {
    init(_ cause: KeyValueError)
    /// Whether it tells that the disk has no room.
    var isDiskFull: Bool { get }
}

extension KeyValueError: CarriesKeyValueError {
    package init(_ cause: KeyValueError) { self = cause }
    package var isDiskFull: Bool { code == .diskFull }
}
