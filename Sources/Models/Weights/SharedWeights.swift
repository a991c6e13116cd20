package import Elements
internal import Objects
package import Snapshots

/// Which experts and tensors some models share: the same bytes, wherever in the models they are, and those that
/// differ in precision alone.
package struct SharedWeights {
    /// Different experts and tensors, each counted once.
    package struct Amount: Sendable {
        package fileprivate(set) var experts = 0
        package fileprivate(set) var tensors = 0
        package fileprivate(set) var bytes = 0

        fileprivate init() {}

        fileprivate init(_ parts: some Sequence<Part>) {
            for part in parts { add(part) }
        }

        fileprivate mutating func add(_ part: Part) {
            if part.isExpert { experts += 1 } else { tensors += 1 }
            bytes += part.bytes
        }
    }

    private let models: [Contents]
    /// What every model has.
    package let inAll: Amount
    /// What all of them consist of, stored once.
    package let together: Amount

    /// - Parameters:
    ///   - models: With names for the progress.
    ///   - values: Whether values are compared as BF16 where bytes differ.
    ///   - progress: Told the objects that are rounded.
    /// - Complexity: Reads the ids of all experts; with `values` also all floats that not all models share.
    package init(
        _ models: [(name: String, snapshot: MappedSnapshot)], values: Bool,
        _ progress: ProgressReporter
    ) throws {
        var contents = try models.map { try Contents($0.name, $0.snapshot) }
        var common = contents.first?.sizes ?? [:]
        var union = common
        for model in contents.dropFirst() {
            common = common.filter { model.sizes[$0.key] != nil }
            union.merge(model.sizes) { first, _ in first }
        }
        if values {
            for index in contents.indices { try contents[index].round(except: common, progress) }
        }
        self.models = contents
        inAll = Amount(common.values)
        together = Amount(union.values)
    }

    /// What a model consists of.
    package func contents(of model: Int) -> Amount { Amount(models[model].sizes.values) }

    /// What two models have in common, and what besides of the first has the values of something in the second when
    /// both are rounded to BF16.
    package func shared(_ first: Int, _ second: Int) -> (shared: Amount, inBF16: Amount) {
        let (left, right) = (models[first], models[second])
        var (shared, same) = (Amount(), Amount())
        let others = Set(right.rounded.values)
        for (id, part) in left.sizes {
            if right.sizes[id] != nil {
                shared.add(part)
            } else if let rounded = left.rounded[id], others.contains(rounded) {
                same.add(part)
            }
        }
        return (shared, same)
    }
}

/// What an object of a model is.
private struct Part {
    let bytes: Int
    let isExpert: Bool
}

/// The objects of one model.
private struct Contents {
    let name: String
    let snapshot: MappedSnapshot
    /// Every different expert and tensor.
    let sizes: [ObjectID: Part]
    /// The ids that the objects would have in BF16, of those that are floats and not common to all models.
    private(set) var rounded: [ObjectID: ObjectID] = [:]
    /// Where each different expert is.
    private let experts: [ObjectID: (experts: MappedExperts, ordinal: Int)]

    init(_ name: String, _ snapshot: MappedSnapshot) throws {
        var sizes: [ObjectID: Part] = [:]
        var found: [ObjectID: (experts: MappedExperts, ordinal: Int)] = [:]
        var tensors = Array(snapshot.tree.trunk.tensors.values)
        for (number, layer) in snapshot.tree.layers {
            for (poolName, pool) in layer.pools {
                tensors += pool.router.values
                guard let experts = snapshot.experts(layer: number, pool: poolName) else {
                    continue
                }
                for ordinal in 0..<experts.count {
                    let id = try experts.id(ordinal)
                    guard id != .zero else { continue }
                    sizes[id] = Part(bytes: pool.expertByteCount, isExpert: true)
                    found[id] = (experts, ordinal)
                }
            }
        }
        for tensor in tensors {
            sizes[tensor.id] = Part(bytes: tensor.shape.byteCount ?? 0, isExpert: false)
        }
        self.name = name
        self.snapshot = snapshot
        self.sizes = sizes
        experts = found
    }

    /// Finds the ids that objects would have in BF16.
    mutating func round(
        except common: [ObjectID: Part], _ progress: ProgressReporter
    ) throws {
        let ids = sizes.keys.filter { common[$0] == nil }
        let (snapshot, experts) = (snapshot, experts)
        let block = 1024
        for first in stride(from: 0, to: ids.count, by: block) {
            let some = Array(ids[first..<min(first + block, ids.count)])
            let results = concurrentMap(some.count, grain: 8) {
                index -> Result<ObjectID?, any Error> in
                do {
                    let object =
                        if let place = experts[some[index]] {
                            try place.experts.checked(place.ordinal)
                        } else {
                            try snapshot.checked(some[index])
                        }
                    return .success(object.idInBF16)
                } catch {
                    return .failure(error)
                }
            }
            for (id, result) in zip(some, results) {
                rounded[id] = try result.get()
            }
            try progress(Progress("objects of \(name)", first + some.count, ids.count))
        }
    }
}

extension SnapshotStore {
    /// What some revisions' models have in common; see ``SharedWeights``.
    ///
    /// - Throws: `usage` for fewer than two.
    package func shared(
        _ revisions: [String], values: Bool, progress: ProgressReporter
    ) throws -> (models: [(name: String, snapshot: MappedSnapshot)], weights: SharedWeights) {
        guard revisions.count >= 2 else {
            throw CambiumError(.usage, "name at least two revisions to compare")
        }
        let models = try revisions.map { (name: $0, snapshot: try map(at: $0)) }
        return (models, try SharedWeights(models, values: values, progress))
    }
}

extension StoredObject {
    /// The id that the object would have if its floats were rounded to BF16; nil when it holds anything else.
    fileprivate var idInBF16: ObjectID? {
        let parts = header.parts.map { TensorShape(.bf16, $0.dimensions) }
        guard header.parts.allSatisfy({ FloatCode(rawValue: $0.type) != nil }),
            let narrow = try? ObjectHeader(header.kind, parts)
        else { return nil }
        if parts == header.parts { return id }
        var bytes: [UInt8] = []
        if header.parts.allSatisfy({ $0.type == .f32 }) {
            let source = payload.bytes
            bytes.reserveCapacity(source.byteCount / 2)
            for offset in stride(from: 0, to: source.byteCount, by: 4) {
                let bits = FloatCode.bfloat(
                    of: source.number(at: offset))
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
            }
        } else if let values = FloatCode.decode(payload.copy(), header.parts) {
            bytes = FloatCode.encode(values, parts) ?? []
        }
        return narrow.id(of: bytes.raw)
    }
}
