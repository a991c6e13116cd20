internal import CKernels

/// An immutable fp32 matrix, laid out once for products in fixed order.
///
/// Panels of 16 rows, [⌈rows / 16⌉, columns, 16]: every output is one chain of fused additions in
/// ascending column, so its bits depend neither on the batch, nor on the threads, nor on the CPU.
@safe package final class PackedMatrix: Sendable {
    package let rows: Int
    package let columns: Int
    // Written by the initialiser alone.
    nonisolated(unsafe) private let packed: UnsafeMutablePointer<Float>

    /// - Complexity: Copies the matrix.
    package init(_ matrix: Matrix) {
        rows = matrix.rows
        columns = matrix.columns
        let count = (matrix.rows + 15) / 16 * 16 * matrix.columns
        unsafe packed = floats(count)
        unsafe matrix.withElements { unsafe cambium_pack_panels($0, rows, columns, packed) }
    }

    deinit { unsafe packed.deallocate() }

    /// out[t, r] = Σ over k of x[t, k] w[r, k].
    ///
    /// - Parameters:
    ///   - x: `tokens` rows of `columns` elements, each `stride` elements after the one before.
    ///   - stride: At least `columns`; nil when the rows are adjacent.
    ///   - out: `tokens` rows of `rows` elements, each `outStride` elements after the one before.
    ///   - outStride: At least `rows`; nil when the rows are adjacent.
    package func multiply(
        _ x: Span<Float>, tokens: Int, stride: Int? = nil, into out: inout MutableSpan<Float>,
        outStride: Int? = nil, team: ThreadTeam = .single
    ) {
        let stride = stride ?? columns
        let outStride = outStride ?? rows
        guard tokens > 0, rows > 0 else { return }
        check(x, tokens, stride, out, outStride)
        let (rows, columns) = (rows, columns)
        nonisolated(unsafe) let packed = unsafe packed
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let source = x.baseAddress, let target = out.baseAddress else { return }
                nonisolated(unsafe) let x = unsafe source
                nonisolated(unsafe) let out = unsafe target
                let tiles = ProductTiles(
                    panels: (rows + 15) / 16, tokens: tokens,
                    work: tokens * rows * columns, threads: team.count)
                team.forEach(tiles.count) { index in
                    let (panels, tokens) = tiles[index]
                    unsafe cambium_panel_products(
                        packed, rows, columns, panels.lowerBound, panels.upperBound,
                        x + tokens.lowerBound * stride, stride, tokens.count,
                        out + tokens.lowerBound * outStride, outStride)
                }
            }
        }
    }
}

/// How a product is shared out: over its outputs, and over its tokens when these are many.
struct ProductTiles: Sendable {
    /// Multiplications below which sharing costs more than it saves.
    private static let grain = 50_000
    private let panels: Int
    private let tokens: Int
    private let panelParts: Int
    private let tokenParts: Int

    init(panels: Int, tokens: Int, work: Int, threads: Int) {
        self.panels = panels
        self.tokens = tokens
        // Twice as many parts as threads, so that one that is held up does not hold up the rest.
        let wanted = threads == 1 ? 1 : max(1, min(2 * threads, work / Self.grain))
        // Blocks of tokens that stay in the cache while all panels pass.
        let blocks = (tokens + 255) / 256
        if wanted == 1 {
            (panelParts, tokenParts) = (1, blocks)
        } else if panels >= 2 * wanted || tokens < 12 {
            (panelParts, tokenParts) = (min(panels, wanted), blocks)
        } else {
            (panelParts, tokenParts) = (1, max(blocks, min(wanted, tokens / 6)))
        }
    }

    var count: Int { panelParts * tokenParts }

    subscript(index: Int) -> (panels: Range<Int>, tokens: Range<Int>) {
        let (block, part) = index.quotientAndRemainder(dividingBy: panelParts)
        return (
            panels * part / panelParts..<panels * (part + 1) / panelParts,
            tokens * block / tokenParts..<tokens * (block + 1) / tokenParts
        )
    }
}

/// Memory at a multiple of 64 bytes, not initialised.
func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
    let bytes = max(count, 1) * MemoryLayout<Float>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    return unsafe memory.bindMemory(to: Float.self, capacity: max(count, 1))
}
