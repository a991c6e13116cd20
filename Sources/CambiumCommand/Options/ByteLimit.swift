internal import ArgumentParser
internal import Cambium

/// How many bytes of each text count: a number, or `all`.
struct ByteLimit: ExpressibleByArgument, CustomStringConvertible {
    /// Nil for all.
    let count: Int?

    init(count: Int?) { self.count = count }

    init?(argument: String) {
        if argument == "all" {
            count = nil
        } else if let number = Int(argument), number > 0 {
            count = number
        } else {
            return nil
        }
    }

    var description: String { count.map(String.init) ?? "all" }
    var defaultValueDescription: String { description }
}

extension Excerpts {
    /// Excerpts of as many bytes as an option says; nil for the usual number.
    init(_ text: [UInt8], label: String, _ limit: ByteLimit?) {
        self.init(text, label: label, limit: limit.map { $0.count ?? max(text.count, 1) })
    }
}
