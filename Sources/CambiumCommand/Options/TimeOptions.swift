internal import ArgumentParser
internal import Cambium

/// A moment in the past, such as `2026-11-01` or `2 days`.
struct SinceOption: ExpressibleByArgument {
    /// Seconds since 1970.
    let time: Int64

    init?(argument: String) {
        guard let time = Moment.parse(argument, now: Signature.current.time) else { return nil }
        self.time = time
    }
}

/// A length of time, such as `14d`, `12h` or `0`.
struct GraceOption: ExpressibleByArgument, CustomStringConvertible {
    let seconds: Int64
    let description: String

    /// Two weeks.
    static let standard = GraceOption(seconds: 14 * 86_400, description: "14d")

    private init(seconds: Int64, description: String) {
        self.seconds = seconds
        self.description = description
    }

    init?(argument: String) {
        guard let seconds = Moment.duration(argument) else { return nil }
        self.seconds = seconds
        description = argument
    }

    var defaultValueDescription: String { description }
}
