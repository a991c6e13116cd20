internal import Cambium

/// A revision, and what is meant inside its model: `REV`, `REV:LAYER/ORDINAL`, `REV:config.json`.
struct Place: Equatable {
    /// The revision; `HEAD` when there is none before the colon.
    let revision: String
    /// What follows the colon; nil without one.
    let path: String?

    /// Splits at the first colon, which no revision contains.
    init(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else {
            revision = text
            path = nil
            return
        }
        revision = colon == text.startIndex ? "HEAD" : String(text[..<colon])
        path = String(text[text.index(after: colon)...])
    }

    /// Whether the path starts with a layer's number: it names experts, not a file or tensor.
    var namesExperts: Bool {
        guard let first = path?.split(separator: "/").first else { return false }
        return first.allSatisfy { $0.isASCII && $0.isNumber }
    }
}
