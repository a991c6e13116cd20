extension RowMatrix {
    /// The products of the same vectors with three matrices, shared among threads as one loop, as queries, keys and
    /// values are: each with the bits of ``multiply(_:tokens:stride:into:outStride:team:)``.
    ///
    /// - Parameters:
    ///   - x: [tokens, `columns`].
    ///   - one: [tokens, rows of the first matrix]; so are `two` and `three` of the others.
    package static func multiply(
        _ first: RowMatrix, _ second: RowMatrix, _ third: RowMatrix, _ x: Span<Float>, tokens: Int,
        into one: inout MutableSpan<Float>, _ two: inout MutableSpan<Float>,
        _ three: inout MutableSpan<Float>, team: ThreadTeam
    ) {
        guard tokens > 0 else { return }
        let columns = first.columns
        precondition(
            second.columns == columns && third.columns == columns,
            "matrices of \(columns), \(second.columns) and \(third.columns) columns")
        first.check(x, tokens, columns, one, first.rows)
        second.check(x, tokens, columns, two, second.rows)
        third.check(x, tokens, columns, three, third.rows)
        unsafe x.withUnsafeBufferPointer { x in
            unsafe one.withUnsafeMutableBufferPointer { one in
                unsafe two.withUnsafeMutableBufferPointer { two in
                    unsafe three.withUnsafeMutableBufferPointer { three in
                        guard let source = x.baseAddress else { return }
                        unsafe withRows(of: source, tokens, columns) { x in
                            nonisolated(unsafe) let x = unsafe x
                            nonisolated(unsafe) let parts = unsafe (
                                first.part(tokens, one.baseAddress, team),
                                second.part(tokens, two.baseAddress, team),
                                third.part(tokens, three.baseAddress, team)
                            )
                            let counts = unsafe (parts.0.count, parts.1.count, parts.2.count)
                            team.forEach(counts.0 + counts.1 + counts.2) { index in
                                if index < counts.0 { return unsafe parts.0.run(index, x) }
                                let rest = index - counts.0
                                if rest < counts.1 { return unsafe parts.1.run(rest, x) }
                                unsafe parts.2.run(rest - counts.1, x)
                            }
                        }
                    }
                }
            }
        }
    }

    @unsafe private func part(
        _ tokens: Int, _ out: UnsafeMutablePointer<Float>?, _ team: ThreadTeam
    ) -> Part {
        let tiles = ProductTiles(
            panels: (rows + 15) / 16, tokens: tokens, work: tokens * rows * columns,
            threads: team.count)
        return unsafe Part(stored: stored, rows: rows, tiles: tiles, out: out)
    }

    /// The tiles of one of the products.
    @unsafe private struct Part {
        let stored: StoredRows
        let rows: Int
        let tiles: ProductTiles
        /// Nil where there is none.
        let out: UnsafeMutablePointer<Float>?

        var count: Int { unsafe out == nil || rows == 0 ? 0 : tiles.count }

        func run(_ index: Int, _ x: UnsafePointer<UnsafePointer<Float>?>) {
            guard let out = unsafe out else { return }
            let (panels, tokens) = unsafe tiles[index]
            let first = 16 * panels.lowerBound
            unsafe stored.products(
                first, min(16 * panels.upperBound, rows) - first, x + tokens.lowerBound,
                tokens.count, out + tokens.lowerBound * rows + first, rows)
        }
    }
}
