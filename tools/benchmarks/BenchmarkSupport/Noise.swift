/// Numbers between -1 and 1 from the formula of `peers/data.py`, so that every program computes with
/// the same weights and inputs.
package enum Noise {
    /// Fills a span with `scale` times the stream of a state: each word of 64 bits gives two numbers,
    /// the low half first, each the upper 24 bits of a signed half as a fraction.
    package static func fill(_ out: inout MutableSpan<Float>, state: UInt64, scale: Float) {
        var state = state
        var word: UInt64 = 0
        for index in out.indices {
            if index % 2 == 0 {
                state &+= ExpertData.golden
                word = ExpertData.mix(state)
            }
            let half = Int32(truncatingIfNeeded: index % 2 == 0 ? word : word >> 32)
            out[index] = Float(half >> 8) * 0x1p-23 * scale
        }
    }

    /// `count` numbers of the stream with a tag.
    package static func floats(tag: UInt64, count: Int, scale: Float) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        var span = values.mutableSpan
        fill(&span, state: ExpertData.mix(tag), scale: scale)
        return values
    }
}
