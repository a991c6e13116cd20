package import Elements
package import Objects
package import Snapshots

/// A small model held in memory: what a store must give back for a commit.
package struct SyntheticModel: Sendable, Equatable {
    package struct Tensor: Sendable, Equatable {
        package var shape: TensorShape
        package var bytes: [UInt8]

        package init(_ shape: TensorShape, _ bytes: [UInt8]) {
            self.shape = shape
            self.bytes = bytes
        }

        /// A tensor of Float whose bytes depend on the seed alone.
        package init(_ dimensions: [Int], seed: Int) {
            shape = TensorShape(.f32, dimensions)
            bytes = noise(shape.byteCount ?? 0, seed)
        }
    }

    package struct Place: Sendable, Hashable, Comparable {
        package let layer: UInt32
        package let pool: String

        package init(_ layer: UInt32, _ pool: String = ExpertPool.base) {
            self.layer = layer
            self.pool = pool
        }

        package static func < (left: Place, right: Place) -> Bool {
            (left.layer, left.pool) < (right.layer, right.pool)
        }
    }

    package struct Pool: Sendable, Equatable {
        package var kind: ObjectKind
        package var parts: [TensorShape]
        /// The experts' bytes; nil for one that was removed.
        package var experts: [[UInt8]?]
        package var router: [String: Tensor]

        /// A pool of neurons of the given width with router keys of eight numbers.
        package init(neurons count: Int, width: Int = 16, seed: Int) {
            kind = .neuron
            parts = [TensorShape(.f32, [width]), TensorShape(.f32, [width])]
            experts = (0..<count).map { noise(8 * width, seed &* 1_000_003 &+ $0) }
            router = ["keys": Tensor([count, 8], seed: seed + 7)]
        }
    }

    package var architecture = "synthetic"
    package var files: [String: [UInt8]] = [:]
    package var trunk: [String: Tensor] = [:]
    package var pools: [Place: Pool] = [:]
    package var layout: Layout?

    package init() {}

    /// A model with small and large tensors, one pool of `experts` neurons, a router and a file.
    package static func sample(experts: Int = 300, seed: Int = 1) -> SyntheticModel {
        var model = SyntheticModel()
        model.files["config.json"] = Array("{\"seed\":\(seed)}".utf8)
        model.trunk["embed"] = Tensor([64, 16], seed: seed + 1)
        model.trunk["head"] = Tensor([300, 64], seed: seed + 2)  // 75 KiB: a record of its own.
        model.trunk["norm"] = Tensor([16], seed: seed + 3)
        model.pools[Place(1)] = Pool(neurons: experts, seed: seed + 4)
        model.layout = Layout(
            files: [.init(name: "model.safetensors", metadata: ["format": "pt"], tensors: [])],
            pools: [
                .init(
                    layer: 1, pool: ExpertPool.base,
                    tensors: [
                        .init(template: "u", stacked: true, slice: [16], partCount: 1),
                        .init(template: "v", stacked: true, slice: [16], partCount: 1),
                    ])
            ])
        return model
    }

    /// Replaces one expert of layer 1 by bytes that depend on the seed.
    package mutating func edit(_ ordinal: Int, seed: Int, at place: Place = Place(1)) {
        guard let count = pools[place]?.experts[ordinal]?.count else { return }
        pools[place]?.experts[ordinal] = noise(count, seed)
    }

    /// Changes one byte in about every `distance` of all experts, router and trunk tensors.
    package mutating func step(seed: Int, every distance: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        func changed(_ bytes: [UInt8]) -> [UInt8] {
            var bytes = bytes
            var offset = Int.random(in: 0..<2 * distance, using: &random)
            while offset < bytes.count {
                bytes[offset] &+= UInt8.random(in: 1...3, using: &random)
                offset += Int.random(in: 1..<2 * distance, using: &random)
            }
            return bytes
        }
        for place in pools.keys.sorted() {
            guard var pool = pools[place] else { continue }
            pool.experts = pool.experts.map { $0.map(changed) }
            for name in pool.router.keys.sorted() {
                pool.router[name].map { pool.router[name]?.bytes = changed($0.bytes) }
            }
            pools[place] = pool
        }
        for name in trunk.keys.sorted() {
            trunk[name].map { trunk[name]?.bytes = changed($0.bytes) }
        }
    }

    /// Replaces one row of the router's keys.
    package mutating func editRow(_ row: Int, seed: Int, at place: Place = Place(1)) {
        pools[place]?.router["keys"]?.bytes.replaceSubrange(
            (row * 32)..<((row + 1) * 32), with: noise(32, seed))
    }
}
