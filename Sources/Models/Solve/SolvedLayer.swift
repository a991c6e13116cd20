package import Elements

/// What a merge solves in one layer, and from what.
package struct LayerToSolve {
    /// The experts that any source changed, ascending.
    package let experts: [Int]
    /// The rows of the router that any source changed, ascending.
    package let rows: [Int]
    /// The stored type of the router's bias.
    package let bias: ElementType
    /// Where every version of an expert is kept: by source, of each of its experts the slot of the merged layer.
    ///
    /// Then all rows are solved so that the merged router gives each source's shares to the source's slots, and of the
    /// experts, which are slots, down alone.
    package let places: [[Int]]?
    /// An expert's bytes in a source; nil for what it starts from.
    package let version: (_ expert: Int, _ source: Int?) throws -> [UInt8]

    package init(
        experts: [Int], rows: [Int], bias: ElementType, places: [[Int]]? = nil,
        version: @escaping (_ expert: Int, _ source: Int?) throws -> [UInt8]
    ) {
        self.experts = experts
        self.rows = rows
        self.bias = bias
        self.places = places
        self.version = version
    }
}

/// What was solved of one layer, as it is stored.
package struct SolvedLayer: Sendable {
    /// Bytes by ordinal.
    package var experts: [Int: [UInt8]] = [:]
    /// Bytes of a row of the router's matrix, by its number.
    package var rows: [Int: [UInt8]] = [:]
    /// Bytes of the bias of a row.
    package var biases: [Int: [UInt8]] = [:]
}
