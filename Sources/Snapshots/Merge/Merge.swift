package import Elements
package import Objects

/// What a merge decides about: one entity of the model.
package enum MergeEntity: Hashable, Sendable, CustomStringConvertible {
    case architecture
    case layout
    case file(String)
    case trunk(String)
    case pool(layer: UInt32, pool: String)
    case expert(layer: UInt32, pool: String, ordinal: Int)
    case router(layer: UInt32, pool: String, tensor: String)
    case routerRow(layer: UInt32, pool: String, tensor: String, row: Int)

    package var description: String {
        switch self {
        case .architecture: "architecture"
        case .layout: "layout"
        case .file(let name): "file \(name)"
        case .trunk(let name): "trunk \(name)"
        case .pool(let layer, let pool): "pool \(layer)/\(pool)"
        case .expert(let layer, let pool, let ordinal): "expert \(layer)/\(pool)/\(ordinal)"
        case .router(let layer, let pool, let tensor): "router \(layer)/\(pool)/\(tensor)"
        case .routerRow(let layer, let pool, let tensor, let row):
            "router row \(layer)/\(pool)/\(tensor)[\(row)]"
        }
    }
}

/// An entity that two or more sides changed differently.
package struct MergeConflict: Sendable {
    package let entity: MergeEntity
    /// Indexes of the sides that changed it, ascending.
    package let sides: [Int]
    /// The objects, by side.
    ///
    /// Also of sides that did not change it; of a router's row the whole tensor's; nil where the side has
    /// none. Empty of the architecture, which is no object.
    package let versions: [ObjectID?]
    /// The same of each merge base.
    package let bases: [ObjectID?]
    /// The policy that settled it; nil for a conflict that is left, or when a side was named.
    package private(set) var policy: String?
    /// The side whose value was taken; nil when the policy made a new one, or nothing settled it.
    package private(set) var taken: Int?
    /// Of a file that is merged by its parts, those that the sides changed differently; empty where it is one thing.
    package private(set) var parts: [String] = []

    init(
        _ entity: MergeEntity, _ sides: [Int], versions: [ObjectID?], bases: [ObjectID?]
    ) {
        self.entity = entity
        self.sides = sides
        self.versions = versions
        self.bases = bases
    }

    /// The conflict about some parts of a file alone.
    func about(_ parts: [String]) -> MergeConflict {
        var result = self
        result.parts = parts
        return result
    }

    func settled(by policy: String?, taken: Int?) -> MergeConflict {
        var result = self
        result.policy = policy
        result.taken = taken
        return result
    }
}

/// How one conflict is settled.
package enum ConflictSettlement: Sendable {
    /// By a side's value, which may be that the entity is not there; by the side's index.
    case side(Int)
    case policy(any ConflictPolicy)
}

/// What was decided about single conflicts, before the policy for all others is asked.
package protocol ConflictDecisions: Sendable {
    /// What was decided about an entity in conflict; nil when nothing was.
    func settlement(of entity: MergeEntity) throws -> ConflictSettlement?

    /// Called when every conflict was asked about and before anything is written.
    ///
    /// - Throws: When a decision settled nothing.
    func finish() throws
}

/// One value of an entity in conflict.
package struct ConflictValue: Sendable {
    /// Index of the side: 0 is the target, then the merged commits in the order given.
    package let side: Int
    /// Nil when the side removed the entity.
    package let bytes: [UInt8]?

    package init(side: Int, bytes: [UInt8]?) {
        self.side = side
        self.bytes = bytes
    }
}

/// Settles conflicts by a named policy.
package protocol ConflictPolicy: Sendable {
    /// The name that the merge commit records.
    var name: String { get }
    /// Whether it takes a side's value whatever it is, so that nothing is read.
    var takesSide: Bool { get }

    /// One of the values, or a new one made from them; nil leaves the conflict standing.
    ///
    /// - Parameters:
    ///   - parts: Dtype and shape of the bytes, or empty when they are no numbers.
    ///   - base: The value before, where there was one.
    func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue?
}

extension ConflictPolicy {
    package var takesSide: Bool { false }
}

/// The value of the first side (target, then the order given) that changed the entity.
package struct OursPolicy: ConflictPolicy {
    package let name = "ours"
    package let takesSide = true

    package init() {}

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? { values.first }
}

/// The value of the last side that changed the entity.
package struct TheirsPolicy: ConflictPolicy {
    package let name = "theirs"
    package let takesSide = true

    package init() {}

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? { values.last }
}

/// What a merge did or would do.
package struct MergeOutcome: Sendable {
    /// How the merge ended.
    package enum Kind: String, Sendable {
        case upToDate = "up-to-date"
        case fastForward = "fast-forward"
        case merged
        case conflicts
    }

    package let kind: Kind
    /// The merged model's tree id; nil when conflicts are left.
    package let tree: ObjectID?
    /// The new head; nil when nothing was written.
    package let commit: ObjectID?
    /// Conflicts that no policy settled.
    package let conflicts: [MergeConflict]
    /// Conflicts that decisions or the policy settled.
    package let resolved: [MergeConflict]
    package let bases: [ObjectID]
    package let parents: [ObjectID]
    /// The commits whose models were merged, by side.
    package let sides: [ObjectID]
}
