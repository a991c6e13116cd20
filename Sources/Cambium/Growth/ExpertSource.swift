/// Where an expert that is added to a model comes from.
public struct ExpertSource: Sendable, Hashable {
    /// A checkpoint: a safetensors file or a folder; where there is none of the name, a revision of the store.
    public var path: String
    /// Which expert of each of its layers; nil for a model without experts, whose feed-forward of each layer is
    /// the expert.
    public var expert: Int?

    /// Names an expert.
    public init(_ path: String, expert: Int? = nil) {
        self.path = path
        self.expert = expert
    }

    /// Reads `CHECKPOINT`, `CHECKPOINT:NUMBER` or `REVISION:NUMBER`.
    public init(parsing text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count > 1, let number = parts.last.flatMap({ Int($0) }), number >= 0 {
            self.init(parts.dropLast().joined(separator: ":"), expert: number)
        } else {
            self.init(text)
        }
    }

    /// As ``init(parsing:)`` reads it.
    public var text: String { path + (expert.map { ":\($0)" } ?? "") }
}
