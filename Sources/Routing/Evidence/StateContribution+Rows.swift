internal import Elements

extension StateContribution {
    /// Which hashed experts the tokens pick: all that a hash reads of them.
    package struct Rows: Sendable, Equatable {
        package let router: HashRouter
        /// [states, orders].
        package let picks: [UInt32]

        package init(router: HashRouter, picks: [UInt32]) {
            self.router = router
            self.picks = picks
        }

        /// Whether there are the picks of `count` tokens, each among the rows of its order.
        func isFit(_ count: Int) -> Bool {
            let (orders, size) = (router.picksPerToken, router.tableSize)
            return picks.count == count * orders
                && picks.indices.allSatisfy { Int(picks[$0]) / size == $0 % orders }
        }

        /// Behind the layers of a record.
        func append(to bytes: inout [UInt8]) {
            appendNumber(UInt64(router.orders.count), to: &bytes)
            for order in router.orders { appendNumber(UInt64(order), to: &bytes) }
            appendNumber(UInt64(router.tableSize), to: &bytes)
            bytes.reserveCapacity(bytes.count + 4 * picks.count)
            for pick in picks {
                for shift in stride(from: 0, to: 32, by: 8) {
                    bytes.append(UInt8(truncatingIfNeeded: pick >> UInt32(shift)))
                }
            }
        }

        /// - Throws: `.badInput` for a hash that cannot be, or too few bytes.
        init(_ reader: inout NumberReader, count: Int) throws {
            let orders = try (0..<(try reader.count("orders"))).map { _ in Int(try reader.small()) }
            let size = Int(try reader.small())
            guard (1...8).contains(orders.count), orders.allSatisfy({ (1...8).contains($0) }),
                zip(orders, orders.dropFirst()).allSatisfy({ $0 < $1 }),
                size > 1, size & (size - 1) == 0, orders.count <= Int(UInt32.max) / size
            else {
                throw CambiumError(
                    .badInput, "there is no hash of the orders \(orders) with \(size) rows each")
            }
            router = HashRouter(orders: orders, tableSize: size)
            let (bytes, overflows) = (4 * orders.count).multipliedReportingOverflow(by: count)
            let taken = Array(try reader.take(overflows ? .max : bytes))
            picks = stride(from: 0, to: taken.count, by: 4).map { start in
                (0..<4).reduce(0) { $0 | UInt32(taken[start + $1]) << UInt32(8 * $1) }
            }
        }
    }
}
