package import KeyValue
package import Objects

/// What went wrong with a snapshot, a branch, a merge or the care of a store.
package struct SnapshotError: Error, Sendable, CarriesObjectError, CustomStringConvertible {
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        package static let notFound = Code(rawValue: "not-found")
        package static let ambiguous = Code(rawValue: "ambiguous")
        package static let exists = Code(rawValue: "exists")
        package static let badName = Code(rawValue: "bad-name")
        package static let badRevision = Code(rawValue: "bad-revision")
        package static let branchMoved = Code(rawValue: "branch-moved")
        package static let conflict = Code(rawValue: "conflict")
        package static let unrelated = Code(rawValue: "unrelated-histories")
        package static let incompatible = Code(rawValue: "incompatible")
        package static let usage = Code(rawValue: "usage")
        package static let corrupt = Code(rawValue: "corrupt")
        package static let diskFull = Code(rawValue: "disk-full")
        package static let readOnly = Code(rawValue: "read-only")
        package static let busy = Code(rawValue: "busy")
        package static let notAStore = Code(rawValue: "not-a-store")
        package static let formatTooOld = Code(rawValue: "format-too-old")
        package static let formatTooNew = Code(rawValue: "format-too-new")
        package static let tooLarge = Code(rawValue: "too-large")
        package static let hardLinked = Code(rawValue: "hard-linked")
        package static let limit = Code(rawValue: "limit")
        package static let io = Code(rawValue: "io")
    }

    package let code: Code
    package let message: String
    package let cause: ObjectError?

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
        self.cause = nil
    }

    package init(_ cause: KeyValueError) { self.init(ObjectError(cause)) }

    package init(_ cause: ObjectError) {
        self.message = cause.message
        self.cause = cause
        switch cause.cause?.code {
        case .some(.corrupt): code = .corrupt
        case .some(.diskFull): code = .diskFull
        case .some(.readOnly): code = .readOnly
        case .some(.busy): code = .busy
        case .some(.notAStore): code = .notAStore
        case .some(.notFound): code = .notFound
        case .some(.exists): code = .exists
        case .some(.hardLinked): code = .hardLinked
        case .some(.limit): code = .limit
        case .some: code = .io
        case .none:
            switch cause.code {
            case .notFound: code = .notFound
            case .tooLarge: code = .tooLarge
            default: code = .corrupt
            }
        }
    }

    package var isDiskFull: Bool { code == .diskFull }

    package var description: String { message }
}
