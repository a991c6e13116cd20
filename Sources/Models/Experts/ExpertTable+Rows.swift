internal import Elements
package import Routing
package import Tensors

extension ExpertTable {
    /// out += the rows that a token picked, in the order of the picks.
    ///
    /// - Parameters:
    ///   - form: What the rows are; its parts are the table's.
    ///   - selection: Of one head.
    ///   - out: [tokens, width].
    /// - Throws: What reading throws.
    package func addRows(
        _ form: RowForm, of selection: borrowing Selection, into out: inout MutableSpan<Float>
    ) throws {
        let picks = selection.topK
        // With a limit of memory a few tokens at a time, so that what they need fits.
        let block = max(tokensAtOnce(selections: picks) ?? selection.tokens, 1)
        var addresses = ExpertAddresses()
        for first in stride(from: 0, to: selection.tokens, by: block) {
            let end = min(first + block, selection.tokens)
            try find(
                selection.experts.span.extracting(first * picks..<end * picks), &addresses)
            for index in 0..<(end - first) * picks {
                let start = (first + index / picks) * form.width
                var target = out._mutatingExtracting(start..<start + form.width)
                unsafe Kernels.addRow(addresses[index], form, into: &target)
            }
        }
    }
}
