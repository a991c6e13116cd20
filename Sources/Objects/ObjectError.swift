package import KeyValue

/// What went wrong with an object, a pack or the location index.
package struct ObjectError: Error, Sendable, CarriesKeyValueError, CustomStringConvertible {
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        package static let notFound = Code(rawValue: "not-found")
        package static let corrupt = Code(rawValue: "corrupt")
        package static let tooLarge = Code(rawValue: "too-large")
        package static let badFormat = Code(rawValue: "bad-format")
        package static let keyValue = Code(rawValue: "key-value")
    }

    package let code: Code
    package let message: String
    package let cause: KeyValueError?

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
        self.cause = nil
    }

    package init(_ cause: KeyValueError) {
        self.code = .keyValue
        self.message = cause.message
        self.cause = cause
    }

    package var isDiskFull: Bool { cause?.isDiskFull == true }

    package var description: String { message }
}

/// An error of an upper layer that can carry an ``ObjectError`` as its cause.
package protocol CarriesObjectError: CarriesKeyValueError {
    init(_ cause: ObjectError)
}

extension ObjectError: CarriesObjectError {
    package init(_ cause: ObjectError) { self = cause }
}
