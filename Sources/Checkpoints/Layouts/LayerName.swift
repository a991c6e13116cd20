internal import Architectures

/// A tensor name taken apart: `model.layers.` (or `layers.`), the layer's number, the rest.
struct LayerName {
    let layer: Int
    /// Everything up to the rest, the dot included: `model.layers.3.`.
    let prefix: Substring
    let rest: Substring

    /// Nil when `name` is not that of a tensor of a layer.
    init?(_ name: String) {
        guard let start = Self.starts.first(where: { name.hasPrefix($0) }) else { return nil }
        let tail = name.dropFirst(start.count)
        guard let dot = tail.utf8.firstIndex(of: UInt8(ascii: ".")),
            let layer = ordinal(tail[..<dot]), layer <= Self.greatestLayer
        else { return nil }
        self.layer = layer
        let rest = name.utf8.index(after: dot)
        self.prefix = name[..<rest]
        self.rest = name[rest...]
    }

    /// The store keeps a layer's number in 32 bits; a greater one is not that of a layer.
    private static let greatestLayer = Int(UInt32.max)
    private static let starts = Architecture.prefixes.map { $0 + "layers." } + ["layers."]
}

/// The number that `text` is, when it is written as a program writes it: digits, no leading zero.
func ordinal(_ text: Substring) -> Int? {
    guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
        text == "0" || first != UInt8(ascii: "0")
    else { return nil }
    return Int(text)
}
