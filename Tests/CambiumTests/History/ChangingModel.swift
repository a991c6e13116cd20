import Elements
import Objects
import Snapshots
import TestSupport

/// A random model that changes at random: experts in tensors of their own and in stacked ones, of several
/// dtypes, with experts that come and go.
struct ChangingModel {
    var model = SyntheticModel()
    var random: SeededGenerator

    private static let separate = SyntheticModel.Place(0)
    private static let stacked = SyntheticModel.Place(1)
    private static let types: [ElementType] = [.bf16, .f32, .u8, .f64]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        model.files["config.json"] = Array("{}".utf8)
        for (number, type) in Self.types.enumerated() {
            model.trunk["trunk.\(number)"] = tensor(TensorShape(type, [13, number + 3]))
        }
        model.trunk["long"] = tensor(TensorShape(.bf16, [6_000]))
        model.trunk["packed"] = tensor(TensorShape(.f4, [4, 6]))
        for place in [Self.separate, Self.stacked] {
            var pool = SyntheticModel.Pool(neurons: 0, seed: 0)
            pool.kind = .tensors
            pool.parts = [TensorShape(.u8, [3]), TensorShape(.bf16, [4, 5])]
            pool.experts = (0..<20).map { _ in random.bytes(43) }
            pool.router = ["router.\(place.layer)": tensor(TensorShape(.f32, [20, 3]))]
            model.pools[place] = pool
        }
        model.layout = Self.layout(stacked: false)
    }

    /// - Parameter stacked: Whether the pool with a tensor for each expert is stacked as well.
    private static func layout(stacked isStacked: Bool) -> Layout {
        func pool(_ place: SyntheticModel.Place, _ stacked: Bool) -> Layout.Pool {
            func tensor(_ name: String, _ slice: [Int]) -> Layout.PoolTensor {
                let stem = "layers.\(place.layer)." + (stacked ? "" : "experts.{e}.")
                return Layout.PoolTensor(
                    template: stem + name, stacked: stacked, slice: slice, partCount: 1)
            }
            return Layout.Pool(
                layer: place.layer, pool: place.pool,
                tensors: [tensor("scale", [3]), tensor("weight", [4, 5])])
        }
        return Layout(
            files: [.init(name: "model.safetensors", metadata: nil, tensors: [])],
            pools: [pool(separate, isStacked), pool(Self.stacked, true)])
    }

    private mutating func tensor(_ shape: TensorShape) -> SyntheticModel.Tensor {
        SyntheticModel.Tensor(shape, random.bytes(shape.byteCount ?? 0))
    }

    /// Changes single elements of everything, as a step of training does.
    mutating func step() {
        for (name, tensor) in model.trunk.sorted(by: { $0.key < $1.key }) {
            model.trunk[name] = SyntheticModel.Tensor(tensor.shape, edited(tensor.bytes))
        }
        for (place, pool) in model.pools.sorted(by: { $0.key < $1.key }) {
            var changed = pool
            for (ordinal, expert) in pool.experts.enumerated() {
                changed.experts[ordinal] = expert.map { edited($0) }
            }
            for (name, tensor) in pool.router { changed.router[name]?.bytes = edited(tensor.bytes) }
            model.pools[place] = changed
        }
    }

    /// A step that also changes what is there: experts, tensors, shapes, files and the layout.
    mutating func upheaval() {
        step()
        let place = Bool.random(using: &random) ? Self.separate : Self.stacked
        var pool = model.pools[place] ?? SyntheticModel.Pool(neurons: 0, seed: 0)
        let ordinal = Int.random(in: 0..<pool.experts.count, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        // The last expert of an array is always there.
        case 0: if ordinal < pool.experts.count - 1 { pool.experts[ordinal] = nil }
        case 1, 2: pool.experts[ordinal] = random.bytes(43)
        case 3: pool.experts.append(random.bytes(43))
        case 4: model.trunk["new.\(ordinal)"] = tensor(TensorShape(.f32, [ordinal + 1]))
        case 5: model.trunk["new.\(ordinal)"] = nil
        case 6: model.trunk["trunk.0"] = tensor(TensorShape(.bf16, [13, ordinal + 1]))
        case 7: model.files["config.json"] = random.bytes(4)
        default: model.layout = Self.layout(stacked: Bool.random(using: &random))
        }
        model.pools[place] = pool
    }

    private mutating func edited(_ old: [UInt8]) -> [UInt8] {
        var bytes = old
        for _ in 0..<max(1, bytes.count / 50) where Bool.random(using: &random) {
            let byte = Int.random(in: 0..<bytes.count, using: &random)
            bytes[byte] ^= UInt8.random(in: 0...255, using: &random)
        }
        return bytes
    }
}

/// The tensors of a model's checkpoint; what is not there, in a stacked tensor, as zeros.
struct Weights {
    var tensors: [String: [UInt8]] = [:]
    var shapes: [String: TensorShape] = [:]
    /// Of stacked tensors, the ranges of experts that are not there.
    var holes: [String: [Range<Int>]] = [:]

    init(_ model: SyntheticModel) {
        func put(_ name: String, _ tensor: SyntheticModel.Tensor) {
            tensors[name] = tensor.bytes
            shapes[name] = tensor.shape
        }
        for (name, tensor) in model.trunk { put(name, tensor) }
        for (place, pool) in model.pools {
            for (name, tensor) in pool.router { put(name, tensor) }
            for layout in model.layout?.pools ?? [] where layout.layer == place.layer {
                var start = 0
                for (part, shape) in zip(layout.tensors, pool.parts) {
                    let size = shape.byteCount ?? 0
                    let range = start..<(start + size)
                    start += size
                    for (ordinal, expert) in pool.experts.enumerated() {
                        let slice = expert.map { Array($0[range]) }
                        if part.stacked {
                            tensors[part.template, default: []] +=
                                slice ?? Array(repeating: 0, count: size)
                            if slice == nil {
                                holes[part.template, default: []].append(
                                    (ordinal * size)..<((ordinal + 1) * size))
                            }
                        } else if let slice {
                            let name = part.template.replacing("{e}", with: String(ordinal))
                            put(name, SyntheticModel.Tensor(shape, slice))
                        }
                    }
                    if part.stacked {
                        shapes[part.template] = TensorShape(
                            shape.type, [pool.experts.count] + shape.dimensions)
                    }
                }
            }
        }
    }

    /// The same tensors with zeros in the holes of a model.
    func without(_ holes: [String: [Range<Int>]]) -> [String: [UInt8]] {
        var result = tensors
        for (name, ranges) in holes {
            for range in ranges {
                result[name]?.replaceSubrange(range, with: repeatElement(0, count: range.count))
            }
        }
        return result
    }

    /// Elements of tensors of the same shape that differ, and those of experts that only `other` has.
    func differingElements(_ other: Weights) -> Int {
        var count = 0
        for (name, new) in other.tensors where shapes[name] == other.shapes[name] {
            guard let old = tensors[name], let width = shapes[name].map({ $0.type.bitWidth / 8 }),
                width > 0
            else { continue }
            for element in 0..<(new.count / width) {
                let range = (element * width)..<((element + 1) * width)
                func isHole(_ weights: Weights) -> Bool {
                    weights.holes[name]?.contains { $0.contains(range.lowerBound) } == true
                }
                if isHole(other) { continue }
                if isHole(self) || old[range] != new[range] { count += 1 }
            }
        }
        return count
    }
}
