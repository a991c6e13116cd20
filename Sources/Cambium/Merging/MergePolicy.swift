internal import Merging

/// How conflicts of a merge are settled.
///
/// docs/merging.md has a table of which algebraic laws each obeys.
public enum MergePolicy: String, Sendable, CaseIterable {
    /// Conflicts are listed, and nothing is written.
    case none
    /// The first side that changed it: the target, then the branches in the order given.
    case ours
    /// The last side that changed it.
    case theirs
    /// The weighted mean of the sides that changed it. Lossy.
    case mean
    /// The greatest changes of each side, where the sides agree about the sign. Lossy.
    case ties
    /// The base and the sum of the sides' changes. Lossy.
    case task
    /// The mean weighted by the squared gradients that rounds recorded. Lossy.
    case fisher
    /// The linear map nearest to each side's on that side's inputs, as its Gram sums tell them; else the
    /// mean. Lossy.
    case regmean
    /// Where weights are in conflict, every side's model is kept as an adapter over the merge base's, and a gate picks
    /// by text. Nothing is averaged.
    case alternatives
    /// What any side changed of experts and linear routers, solved in closed form from excerpts of text of every side
    /// and of the base, whether it is in conflict or not; of all else the mean. Lossy.
    case solve
}

/// What the policies `ties` and `task` take besides the sides.
public struct PolicySettings: Sendable {
    /// For `ties`, which share of each side's changes is kept, above 0 to 1: the paper's k.
    public var density: Double
    /// For `ties` and `task`, how much of the merged change is added to the base: the papers' λ.
    public var scale: Double

    /// The settings of the papers, with the whole merged change added.
    public init(density: Double = 0.2, scale: Double = 1) {
        self.density = density
        self.scale = scale
    }
}

/// What the policy `solve` takes besides the sides.
public struct SolveOptions: Sendable {
    /// Texts besides the excerpts that were kept: what a side, by any of its names, or the merge base, by `base`,
    /// knows.
    public var texts: [(name: String, file: String, text: [UInt8])]
    /// Threads that run the models; the result does not depend on it.
    public var threads: Int
    /// Bytes of memory that the process may have; nil for no limit.
    ///
    /// The result does not depend on it.
    public var memoryLimit: Int?
    /// Whether every version of a changed expert is kept, the merge base's too, so that the layers of the merged model have
    /// more experts than those of the sides.
    public var grows: Bool

    /// No further texts, one thread, no limit, and as many experts as before.
    public init(
        texts: [(name: String, file: String, text: [UInt8])] = [], threads: Int = 1,
        memoryLimit: Int? = nil, grows: Bool = false
    ) {
        self.texts = texts
        self.threads = threads
        self.memoryLimit = memoryLimit
        self.grows = grows
    }
}

extension MergePolicy {
    /// Whether the weights of sides count.
    public var isWeighted: Bool { kind.isWeighted }

    /// What the layers below call it.
    var kind: PolicyKind { PolicyKind(rawValue: rawValue) ?? .none }
}
