package import Elements
internal import Objects
package import Routing

extension CountContribution {
    /// The record of one text.
    ///
    /// - Parameter what: The text, for messages.
    /// - Throws: `usage` for a text shorter than `order`, an order that cannot be, or a bad name.
    package init(
        of text: TextSource, _ what: String, adapter: String, label: String, order: Int
    ) throws {
        guard (1...8).contains(order) else {
            throw CambiumError(.usage, "n-grams of \(order) bytes; give 1 to 8")
        }
        guard text.count >= order else {
            throw CambiumError(
                .usage,
                "\(what) has \(text.count) bytes; evidence of \(order)-grams needs \(order) at least"
            )
        }
        var counter = NGramCounter(order: order)
        // The id that the text would have as a file, of the parts as they are counted.
        let data = try ObjectHeader(.file, byteCount: text.count).id { part in
            try text.parts(of: 1 << 20) { bytes in
                part(bytes.raw)
                counter.add(bytes)
            }
        }
        self = try counted(.usage) {
            try CountContribution(
                adapter: adapter, label: label, data: data.bytes, byteCount: UInt64(text.count),
                counts: counter.counts)
        }
    }
}
