internal import Elements

extension PeerConfig {
    /// The sizes of hashed experts: rows that a hash of the last n tokens finds, added to the residual.
    package struct Hash: Sendable, Hashable {
        /// The longest n-gram.
        package static let longestOrder = 8
        private static let tableSizes = 1 << 4...1 << 26

        /// The layers in front of which rows are added, ascending; 0 is the embedding.
        package let layers: [Int]
        /// n of each n-gram of tokens, ascending: a token has one row of each.
        package let orders: [Int]
        /// Rows of each order, a power of two.
        package let tableSize: Int

        /// Experts of a layer: the rows of all orders.
        package var expertCount: Int { orders.count * tableSize }

        /// - Parameter layerCount: Of the model.
        /// - Throws: `.badConfig`, naming the field, its value and what is allowed.
        package init(layers: [Int], orders: [Int], tableSize: Int, layerCount: Int) throws {
            try PeerConfig.check("hash.layers", layers, in: 0...layerCount - 1)
            try PeerConfig.check("hash.orders", orders, in: 1...Self.longestOrder)
            try PeerConfig.check("hash.table_size", tableSize, in: Self.tableSizes)
            guard tableSize & (tableSize - 1) == 0 else {
                throw CambiumError(
                    .badConfig,
                    "config hash.table_size is \(tableSize); it must be a power of two")
            }
            for (name, list) in [("layers", layers), ("orders", orders)] where list.isEmpty {
                throw CambiumError(
                    .badConfig,
                    "config hash.\(name) is empty; leave \"hash\" out for a model without hashed experts"
                )
            }
            self.layers = layers
            self.orders = orders
            self.tableSize = tableSize
        }

        init(_ fields: ConfigFields, layerCount: Int) throws {
            try self.init(
                layers: fields.list("layers"), orders: fields.list("orders"),
                tableSize: fields.whole("table_size"), layerCount: layerCount)
        }
    }

    /// The same sizes with other hashed experts, or with none.
    package func replacingHash(_ hash: Hash?) -> PeerConfig {
        var config = self
        config.hash = hash
        return config
    }
}
