/// What work takes of a run's steps, where it is more than one: a step stands for about a tenth of a microsecond, and for
/// some bytes of memory, so that neither a run nor what it holds grows beyond what the steps allow.
enum Cost {
    /// A value that a list is made of.
    static let element = 8
    /// A text or a list that comes with others of its kind, and a name that is found in scopes within each other.
    static let part = 16
    /// A member that a dictionary is made of: it is hashed, and copied.
    static let member = 32
    /// A turn of a loop.
    static let turn = 8
    /// A call, with the names that it sets.
    static let call = 8
    /// A character that becomes others by Unicode's tables, or is told by them.
    static let letter = 4
    /// A character that is written as a number.
    static let escape = 10
    /// A number that is read or written.
    static let number = 10
}

extension Interpreter {
    /// Spends as much for each of some things.
    func spend(_ count: Int, each cost: Int) throws {
        let (amount, overflow) = count.multipliedReportingOverflow(by: cost)
        try spend(overflow ? .max : amount)
    }

    /// A dictionary of pairs.
    func mapping(_ pairs: [(key: Mapping.Key, value: Value)]) throws -> Mapping {
        try spend(pairs.count, each: Cost.member)
        // A key is hashed whole.
        for pair in pairs { try spend(pair.key.length) }
        return try Mapping(pairs)
    }
}
