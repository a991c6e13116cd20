/// Finds a token's experts by a hash of the last tokens: of each n-gram that ends there, one row of a table.
///
/// Tokens are bytes; those in front of a text are 0. It needs no hidden state and no weights, so it is the same on
/// every branch, and merging it is nothing to do. Rows of one order are apart from those of the others.
package struct HashRouter: Sendable, Hashable {
    /// The last 8 tokens of a text, the latest in the lowest byte: what the next tokens' rows depend on.
    package struct History: Sendable, Hashable {
        fileprivate var tokens: UInt64 = 0

        /// In front of a text.
        package init() {}

        package mutating func append(_ token: UInt8) { tokens = tokens << 8 | UInt64(token) }
    }

    private static let longestOrder = 8

    /// n of each n-gram.
    package let orders: [Int]
    /// Rows of each order.
    package let tableSize: Int

    /// Rows that can be picked.
    package var expertCount: Int { orders.count * tableSize }
    /// Rows of a token.
    package var picksPerToken: Int { orders.count }

    /// By order: which tokens of the history it reads, and what tells it from the other orders.
    private let masks, salts: [UInt64]
    private let shift: UInt64

    /// - Parameters:
    ///   - orders: From 1 to 8.
    ///   - tableSize: A power of two; all rows together are fewer than 2³².
    package init(orders: [Int], tableSize: Int) {
        precondition(
            !orders.isEmpty && orders.allSatisfy { (1...Self.longestOrder).contains($0) },
            "n-grams of \(orders)")
        precondition(
            tableSize > 1 && tableSize & (tableSize - 1) == 0
                && orders.count <= Int(UInt32.max) / tableSize,
            "\(orders.count) tables of \(tableSize) rows")
        self.orders = orders
        self.tableSize = tableSize
        masks = orders.map { UInt64.max >> UInt64(64 - 8 * $0) }
        salts = orders.map { (UInt64($0) &* 0x632B_E59B_D9B4_E019) & (1 << 62 - 1) }
        shift = UInt64(64 - tableSize.trailingZeroBitCount)
    }

    /// The rows of the token that a history ends with, one of each order.
    ///
    /// - Parameter rows: As many as there are orders; overwritten.
    package func route(_ history: History, into rows: inout MutableSpan<UInt32>) {
        route(history, at: 0, into: &rows)
    }

    /// The rows of some tokens that follow each other, token by token.
    ///
    /// - Parameters:
    ///   - history: What was in front of them; then what it is behind them.
    ///   - rows: [tokens, orders]; overwritten.
    package func route(
        _ tokens: Span<UInt8>, history: inout History, into rows: inout MutableSpan<UInt32>
    ) {
        precondition(
            rows.count == tokens.count * orders.count,
            "\(rows.count) rows for \(tokens.count) tokens of \(orders.count) orders")
        for index in tokens.indices {
            history.append(tokens[index])
            route(history, at: index * orders.count, into: &rows)
        }
    }

    /// The rows of a text from its start, [tokens, orders].
    package func rows(of text: [UInt8]) -> [UInt32] {
        var rows = [UInt32](repeating: 0, count: text.count * orders.count)
        var history = History()
        var span = rows.mutableSpan
        route(text.span, history: &history, into: &span)
        return rows
    }

    /// How often texts use each row, read from their starts or in windows that begin as a text does, whichever is
    /// more.
    ///
    /// - Parameter window: Tokens of a window.
    package func uses(of texts: [[UInt8]], window: Int) -> [Int] {
        var (whole, cut) = (
            [Int](repeating: 0, count: expertCount), [Int](repeating: 0, count: expertCount)
        )
        for text in texts {
            for row in rows(of: text) { whole[Int(row)] += 1 }
            for start in stride(from: 0, to: text.count, by: window) {
                let end = min(start + window, text.count)
                for row in rows(of: Array(text[start..<end])) { cut[Int(row)] += 1 }
            }
        }
        return zip(whole, cut).map { max($0, $1) }
    }

    /// How often texts use each row, as far as their counts tell: of rows for longer n-grams than were counted 0.
    ///
    /// - Parameter window: Tokens of a window that begins as a text does, anywhere: so often, by chance, the first
    ///   of a sequence have nothing in front of them.
    package func uses(_ texts: [NGramCounts], window: Int) -> [UInt32] {
        precondition(window > 0, "windows of \(window)")
        var uses = [UInt32](repeating: 0, count: expertCount)
        var begun: [UInt32: UInt64] = [:]
        for text in texts {
            // A counted sequence has its last token in the lowest byte, as a history has.
            for entry in text.entries {
                for order in orders.indices where orders[order] <= text.order {
                    let row = Int(row(entry.key, order))
                    uses[row] = UInt32(clamping: UInt64(uses[row]) + entry.count)
                }
            }
            for length in 1..<(orders.max() ?? 1) where length <= text.order {
                for entry in text.shortened(to: length).entries {
                    for order in orders.indices where orders[order] > length {
                        begun[row(entry.key, order), default: 0] += entry.count
                    }
                }
            }
        }
        for (row, count) in begun {
            let chance = count / UInt64(window)
            uses[Int(row)] = UInt32(clamping: UInt64(uses[Int(row)]) + chance)
        }
        return uses
    }

    private func route(
        _ history: History, at start: Int, into rows: inout MutableSpan<UInt32>
    ) {
        for order in orders.indices { rows[start + order] = row(history.tokens, order) }
    }

    /// - Parameter order: Its place among the orders.
    private func row(_ tokens: UInt64, _ order: Int) -> UInt32 {
        let key = (tokens & masks[order]) ^ salts[order]
        let slot = (key &* 0x9E37_79B9_7F4A_7C15) >> shift
        return UInt32(order * tableSize) + UInt32(slot)
    }
}
