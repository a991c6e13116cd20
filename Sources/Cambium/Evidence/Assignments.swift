internal import Evidence

/// Which expert each byte of a text should pick: targets for a router that is solved in closed form.
public struct Assignments: Sendable, Equatable {
    /// One for each byte of the text, from 0.
    public let experts: [UInt32]

    /// - Parameter experts: One for each byte of a text, from 0.
    public init(experts: [UInt32]) { self.experts = experts }

    /// Reads decimal numbers with white space (space, tab, line feed, carriage return) between them.
    ///
    /// - Parameters:
    ///   - text: The bytes of the file.
    ///   - name: What errors call it.
    /// - Throws: `usage` for another byte, naming the line, and for a number of more than 32 bits.
    public init(text: [UInt8], name: String) throws {
        experts = try [UInt32](assignedIn: text, name: name)
    }
}
