internal import Elements

extension CambiumError {
    /// An error of tokenizer.json.
    static func badTokenizer(_ message: String) -> CambiumError {
        CambiumError(.badTokenizer, "tokenizer.json: \(message)")
    }

    /// A valid tokenizer.json that asks for what Cambium does not do.
    static func unsupportedTokenizer(_ message: String) -> CambiumError {
        CambiumError(.unsupported, "tokenizer.json: \(message)")
    }
}

/// A string from a file as a message may show it.
func shown(_ text: some StringProtocol) -> String {
    let short = text.count > 60 ? "\(text.prefix(59))…" : String(text)
    return short.debugDescription
}
