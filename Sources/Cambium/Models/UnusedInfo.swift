internal import Models

/// Weights of a model that running it does not need.
public struct UnusedInfo: Sendable, Encodable, Equatable {
    /// A tensor's name; of several, what they begin or end with, and a star.
    public let name: String
    /// How many tensors.
    public let tensors: Int
    /// How many experts.
    public let experts: Int
    /// Why they are not used.
    public let reason: String

    init(_ unused: UnusedWeights) {
        name = unused.name
        tensors = unused.tensors
        experts = unused.experts
        reason = unused.reason
    }
}
