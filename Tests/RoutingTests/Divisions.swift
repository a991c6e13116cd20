import NumericSupport

/// Divides `count` tokens into ranges at random, and adds up what they give in a random order.
///
/// - Parameters:
///   - part: What a range gives.
///   - add: Adds the second to the first.
func united<Part>(
    _ count: Int, _ noise: inout Noise, _ part: (Range<Int>) throws -> Part,
    _ add: (inout Part, Part) throws -> Void
) throws -> Part {
    let cuts = (0..<Int(noise.bits() % 8)).map { _ in Int(noise.bits() % UInt64(count)) }
    let edges = [0] + cuts.sorted() + [count]
    var parts = try zip(edges, edges.dropFirst()).map { try part($0..<$1) }
    while parts.count > 1 {
        let taken = parts.remove(at: Int(noise.bits() % UInt64(parts.count)))
        try add(&parts[Int(noise.bits() % UInt64(parts.count))], taken)
    }
    return parts[0]
}
