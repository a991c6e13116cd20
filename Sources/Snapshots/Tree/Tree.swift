package import Elements
package import Objects

/// The model tree: everything a model consists of, by content.
///
/// Its id depends on nothing else.
package struct Tree: Sendable, Equatable {
    /// For example "peer-lm", "olmoe", or "unknown" when the layout was not recognised.
    package var architecture: String
    /// Files kept byte for byte, by name: config.json and its like.
    package var files: [String: ObjectID]
    /// How the model was laid out in its checkpoint; nil for a model without one.
    package var layout: ObjectID?
    package var trunk: Trunk
    /// Expert layers by layer number.
    package var layers: [UInt32: Layer]

    /// Files of this name and an object id are records of evidence: a set, named by content.
    package static let evidencePrefix = "evidence."
    /// Says how counts predict beside the model.
    package static let mixtureName = "mixture.json"

    package init(
        architecture: String, files: [String: ObjectID] = [:], layout: ObjectID? = nil,
        trunk: Trunk = Trunk(), layers: [UInt32: Layer] = [:]
    ) {
        self.architecture = architecture
        self.files = files
        self.layout = layout
        self.trunk = trunk
        self.layers = layers
    }

    /// The tensors outside the experts, by name: the trunk's and the routers'.
    package var tensors: [String: StoredTensor] {
        var all = trunk.tensors
        for layer in layers.values {
            for pool in layer.pools.values { all.merge(pool.router) { $1 } }
        }
        return all
    }
}

/// One dense tensor of the trunk or of a router.
package struct StoredTensor: Sendable, Hashable {
    package let shape: TensorShape
    package let id: ObjectID

    package init(shape: TensorShape, id: ObjectID) {
        self.shape = shape
        self.id = id
    }
}

/// The dense tensors, by name.
package struct Trunk: Sendable, Equatable {
    package var tensors: [String: StoredTensor]

    package init(tensors: [String: StoredTensor] = [:]) { self.tensors = tensors }
}

/// One expert layer: the pools that rounds added to it, by name.
package struct Layer: Sendable, Equatable {
    package var pools: [String: ExpertPool]

    package init(pools: [String: ExpertPool] = [:]) { self.pools = pools }
}

/// How a router picks experts.
///
/// The raw value is written to disk.
package enum RouterKind: UInt8, Sendable {
    case linear = 1
    case productKey = 2
    case tree = 3
    /// A hash of the last tokens; it has no tensors.
    case hash = 4

    package var name: String { "\(self)" }
}

/// The experts that one round added together to one layer, with their own router.
package struct ExpertPool: Sendable, Equatable {
    /// The name of the pool that a checkpoint's own pool becomes.
    package static let base = "base"

    package var kind: ObjectKind
    /// Dtype and shape of each part of every expert.
    package var parts: [TensorShape]
    /// One more than the greatest ordinal; below a hash one more than the greatest that it can give.
    package var count: UInt64
    /// Root of the radix array of expert ids.
    package var experts: ObjectID
    package var routerKind: RouterKind
    package var router: [String: StoredTensor]

    package init(
        kind: ObjectKind, parts: [TensorShape], count: UInt64, experts: ObjectID,
        routerKind: RouterKind, router: [String: StoredTensor]
    ) {
        self.kind = kind
        self.parts = parts
        self.count = count
        self.experts = experts
        self.routerKind = routerKind
        self.router = router
    }

    /// Whether an array of so many ids can be that of the experts.
    ///
    /// It ends with the last expert that is there, which below a hash may be any.
    package func holds(arrayCount: Int) -> Bool {
        routerKind == .hash ? arrayCount <= count : arrayCount == count
    }

    /// Takes another array in, of so many ids.
    package mutating func replace(by experts: (root: ObjectID, count: Int)) {
        self.experts = experts.root
        if routerKind != .hash { count = UInt64(experts.count) }
    }
}
