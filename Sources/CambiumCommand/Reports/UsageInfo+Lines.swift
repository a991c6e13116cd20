internal import Cambium
internal import Reporting

extension UsageInfo {
    /// What a run touched, as a table.
    ///
    /// - Parameters:
    ///   - memory: The peak; nil for none.
    ///   - prompt: Which prompt of several it was.
    func lines(_ style: Style, _ memory: MemoryUse?, prompt: Int? = nil) -> [String] {
        var table = TextTable([.left, .left])
        if let prompt { table.add(["prompt", "\(prompt)"]) }
        let layers = touchedByLayer.sorted { Int($0.key) ?? 0 < Int($1.key) ?? 0 }
            .map { "\(Quantity.count($0.value)) in layer \($0.key)" }
        table.add([
            "experts touched",
            "\(Quantity.count(expertsTouched)) of \(Quantity.count(experts))"
                + (layers.isEmpty ? "" : " (\(layers.joined(separator: ", ")))"),
        ])
        table.add([
            "bytes touched",
            "\(Quantity.bytes(bytesTouched)) of \(Quantity.bytes(bytesStored)) stored",
        ])
        if let memory { table.add(["peak memory", memory.text]) }
        return table.lines().map { style.faint($0) }
    }
}

/// Tokens that a model wrote, and what for.
struct TokenReport: Report {
    let result: TokenGenerationResult
    /// Nil when no statistics were asked for.
    let memory: MemoryUse?

    enum CodingKeys: String, CodingKey { case memory }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(memory, forKey: .memory)
    }

    /// The statistics; the tokens went out one by one.
    func lines(_ style: Style) -> [String] { result.usage.lines(style, memory, prompt: nil) }
}
