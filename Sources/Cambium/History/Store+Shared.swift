internal import Elements
internal import Objects
internal import Snapshots

/// What models have in common.
public struct SharedContents: Sendable, Encodable {
    /// Different experts and tensors, each counted once.
    public struct Amount: Sendable, Encodable, Equatable {
        /// Experts.
        public internal(set) var experts = 0
        /// Tensors of trunks and routers.
        public internal(set) var tensors = 0
        /// Bytes of both.
        public internal(set) var bytes = 0
    }

    /// One model.
    public struct Model: Sendable, Encodable {
        /// As it was named.
        public let revision: String
        /// The commit.
        public let id: String
        /// What it consists of.
        public let contents: Amount
    }

    /// What two models have in common.
    public struct Pair: Sendable, Encodable {
        /// The first, as it was named.
        public let left: String
        /// The second.
        public let right: String
        /// The same bytes in both, stored once.
        public let shared: Amount
        /// Besides, what of the first has the values of something in the second when both are rounded to BF16;
        /// stored separately.
        ///
        /// Nil when values were not compared.
        public let sameInBF16: Amount?
    }

    /// In the order given.
    public let models: [Model]
    /// Every two of them.
    public let pairs: [Pair]
    /// What every model has.
    public let inAll: Amount
    /// What all of them consist of, stored once.
    public let together: Amount
    /// Bytes of the models, each counted by itself.
    public let separateBytes: Int
}

extension Store {
    /// What some models share: experts and tensors of the same bytes, wherever in the models they are, and those
    /// that differ in precision alone.
    ///
    /// Files such as config.json are left out.
    ///
    /// - Parameters:
    ///   - revisions: At least two.
    ///   - values: Whether values are compared as BF16 where bytes differ.
    ///   - progress: Told the objects that are rounded.
    /// - Throws: `usage` for fewer than two; `not-found`.
    /// - Complexity: Reads the ids of all experts; with `values` also all floats that not all models share.
    public func shared(
        _ revisions: [String], values: Bool = true, progress: ProgressReporter = { _ in }
    ) throws -> SharedContents {
        guard revisions.count >= 2 else {
            throw CambiumError(.usage, "name at least two revisions to compare")
        }
        var models: [Contents] = []
        for revision in revisions { models.append(try Contents(revision, map(revision))) }
        var common = models[0].sizes
        var union = models[0].sizes
        for model in models.dropFirst() {
            common = common.filter { model.sizes[$0.key] != nil }
            union.merge(model.sizes) { first, _ in first }
        }
        if values {
            for index in models.indices {
                try models[index].round(except: common, progress)
            }
        }
        var pairs: [SharedContents.Pair] = []
        for left in models.indices {
            for right in models.indices.dropFirst(left + 1) {
                pairs.append(SharedContents.Pair(models[left], models[right], values: values))
            }
        }
        return SharedContents(
            models: models.map {
                SharedContents.Model(
                    revision: $0.name, id: $0.snapshot.id.hex,
                    contents: SharedContents.Amount($0.sizes.values))
            }, pairs: pairs, inAll: SharedContents.Amount(common.values),
            together: SharedContents.Amount(union.values),
            separateBytes: models.reduce(0) { sum, model in
                sum + model.sizes.values.reduce(0) { $0 + $1.bytes }
            })
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
            for (cohortName, cohort) in layer.cohorts {
                tensors += cohort.router.values
                guard let experts = snapshot.experts(layer: number, cohort: cohortName) else {
                    continue
                }
                let size = cohort.parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
                for ordinal in 0..<experts.count {
                    let id = try experts.id(ordinal)
                    guard id != .zero else { continue }
                    sizes[id] = Part(bytes: size, isExpert: true)
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

extension SharedContents.Amount {
    fileprivate init(_ parts: some Sequence<Part>) {
        for part in parts { add(part) }
    }

    fileprivate mutating func add(_ part: Part) {
        if part.isExpert { experts += 1 } else { tensors += 1 }
        bytes += part.bytes
    }
}

extension SharedContents.Pair {
    fileprivate init(_ left: Contents, _ right: Contents, values: Bool) {
        var (shared, same) = (SharedContents.Amount(), SharedContents.Amount())
        let others = Set(right.rounded.values)
        for (id, part) in left.sizes {
            if right.sizes[id] != nil {
                shared.add(part)
            } else if let rounded = left.rounded[id], others.contains(rounded) {
                same.add(part)
            }
        }
        self.init(
            left: left.name, right: right.name, shared: shared, sameInBF16: values ? same : nil)
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
