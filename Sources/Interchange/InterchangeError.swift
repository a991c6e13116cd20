/// What went wrong while a checkpoint was read, recognised or written.
///
/// The message names the file and the value and says what to do; `description` is the message.
package struct InterchangeError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; a struct, so that a new kind breaks no caller.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        /// A file ends before what it announces.
        package static let truncated = Code(rawValue: "truncated")
        /// A safetensors header is not what the format allows.
        package static let badHeader = Code(rawValue: "bad-header")
        /// A header, an auxiliary file or a tensor is larger than is accepted.
        package static let tooLarge = Code(rawValue: "too-large")
        /// A dtype that the format does not know.
        package static let unknownType = Code(rawValue: "unknown-type")
        /// Two tensors, fields or keys of one name.
        package static let duplicateName = Code(rawValue: "duplicate-name")
        /// Two tensors share bytes.
        package static let overlap = Code(rawValue: "overlap")
        /// Bytes that belong to no tensor: between two, or after the last.
        package static let hole = Code(rawValue: "hole")
        /// A sharded checkpoint's index is not what it should be.
        package static let badIndex = Code(rawValue: "bad-index")
        /// A shard that the index names is not there.
        package static let missingShard = Code(rawValue: "missing-shard")
        /// A tensor that the index, the config or the other experts ask for is not there.
        package static let missingTensor = Code(rawValue: "missing-tensor")
        /// A tensor in a shard that the index does not list.
        package static let unlistedTensor = Code(rawValue: "unlisted-tensor")
        /// The config and the tensors contradict each other, or the config cannot be read.
        package static let badConfig = Code(rawValue: "bad-config")
        /// A valid input that Cambium does not handle.
        package static let unsupported = Code(rawValue: "unsupported")
        /// Nothing is at the path.
        package static let notFound = Code(rawValue: "not-found")
        /// The path holds no checkpoint.
        package static let notACheckpoint = Code(rawValue: "not-a-checkpoint")
        /// A file changed while it was being read.
        package static let changed = Code(rawValue: "changed")
        package static let diskFull = Code(rawValue: "disk-full")
        /// A limit of the process (setrlimit(2)).
        package static let limit = Code(rawValue: "limit")
        package static let io = Code(rawValue: "io")
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }
}

/// An error of an upper layer that can carry an ``InterchangeError`` as its cause, so that a closure
/// which reads the store and writes a checkpoint has one error type.
package protocol CarriesInterchangeError: Error {
    init(_ cause: InterchangeError)
}

extension InterchangeError: CarriesInterchangeError {
    package init(_ cause: InterchangeError) { self = cause }
}

/// A name from a file as it may be shown: escaped, quoted and at most 120 characters long.
func quoted(_ name: String) -> String {
    var text: [UInt8] = []
    appendJSON(name.count > 120 ? "\(name.prefix(119))…" : name, to: &text)
    return String(decoding: text, as: UTF8.self)
}
