package import Elements
package import Objects

/// What a merge decides about: one entity of the model.
package enum MergeEntity: Hashable, Sendable, CustomStringConvertible {
    case architecture
    case layout
    case file(String)
    case trunk(String)
    case cohort(layer: UInt32, cohort: String)
    case expert(layer: UInt32, cohort: String, ordinal: Int)
    case router(layer: UInt32, cohort: String, tensor: String)
    case routerRow(layer: UInt32, cohort: String, tensor: String, row: Int)

    package var description: String {
        switch self {
        case .architecture: "architecture"
        case .layout: "layout"
        case .file(let name): "file \(name)"
        case .trunk(let name): "trunk \(name)"
        case .cohort(let layer, let cohort): "cohort \(layer)/\(cohort)"
        case .expert(let layer, let cohort, let ordinal): "expert \(layer)/\(cohort)/\(ordinal)"
        case .router(let layer, let cohort, let tensor): "router \(layer)/\(cohort)/\(tensor)"
        case .routerRow(let layer, let cohort, let tensor, let row):
            "router row \(layer)/\(cohort)/\(tensor)[\(row)]"
        }
    }
}

/// An entity that two or more sides changed differently.
package struct MergeConflict: Sendable {
    package let entity: MergeEntity
    /// Indexes of the sides that changed it, ascending.
    package let sides: [Int]
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

    /// One of the values, or a new one made from them; nil leaves the conflict standing.
    ///
    /// - Parameters:
    ///   - parts: Dtype and shape of the bytes, or empty when they are no numbers.
    ///   - base: The value before, where there was one.
    func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue?
}

/// The value of the first side (target, then the order given) that changed the entity.
package struct OursPolicy: ConflictPolicy {
    package let name = "ours"

    package init() {}

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? { values.first }
}

/// The value of the last side that changed the entity.
package struct TheirsPolicy: ConflictPolicy {
    package let name = "theirs"

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
    /// How many conflicts the policy settled.
    package let resolved: [MergeConflict]
    package let bases: [ObjectID]
    package let parents: [ObjectID]
}
