internal import Elements

/// How a text is cut into windows, each of which a model reads anew.
package struct EvaluationWindows: Sendable {
    /// One of them: what is read, and from where on it is predicted.
    struct Window {
        let tokens: Range<Int>
        let firstTarget: Int
    }

    private let size: Int
    private let stride: Int
    private let total: Int
    let count: Int
    /// Tokens that are predicted.
    let predictions: Int

    /// Windows that do not overlap; what is left at the end is dropped, and the first token of each is not predicted.
    init(full size: Int, of total: Int) {
        (self.size, stride, self.total) = (size, size, total / size * size)
        count = total / size
        predictions = count * (size - 1)
    }

    /// Windows that overlap, so that every token of a text but the first is predicted once, from at least
    /// `size - stride` before it where there are as many.
    ///
    /// - Throws: `.usage` for a stride that leaves a token without any before it; `.badInput` for a text of one
    ///   token.
    package init(sliding size: Int, by stride: Int, of total: Int) throws {
        guard size > 1, (1..<size).contains(stride) else {
            throw CambiumError(
                .usage,
                "windows of \(size) tokens at a stride of \(stride): give a stride from 1 to \(max(1, size - 1))"
            )
        }
        try Self.check(total)
        (self.size, self.stride, self.total) = (size, stride, total)
        count = total <= size ? 1 : 1 + (total - size + stride - 1) / stride
        predictions = total - 1
    }

    /// Checks that a text has a token with one before it.
    static func check(_ total: Int) throws {
        guard total > 1 else {
            throw CambiumError(
                .badInput, "the text has \(total) tokens, of which none has one before it")
        }
    }

    subscript(index: Int) -> Window {
        let start = index * stride
        let end = min(start + size, total)
        let isNew = index == 0 || stride == size
        return Window(
            tokens: start..<end, firstTarget: isNew ? start + 1 : start - stride + size)
    }
}
