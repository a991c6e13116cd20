internal import Architectures
internal import Checkpoints
internal import Elements
internal import Objects
package import Snapshots
internal import Tensors

/// The experts of a source, one for each layer of a model, as that model stores its own.
package struct SourceExperts {
    /// By layer: the parts one after the other.
    package private(set) var experts: [Int: [UInt8]] = [:]
    package private(set) var notes: [String] = []

    /// - Parameters:
    ///   - path: A checkpoint; where there is none of the name, a revision of the store.
    ///   - number: Which expert of each of its layers; nil for a model without experts, whose feed-forward of
    ///     each layer is the expert.
    ///   - name: What messages call the source.
    ///   - pools: By layer, what the model has.
    /// - Throws: `not-found`, `usage` or `bad-shape` when the checkpoint has no such expert, or one of another
    ///   size, or one with NaN; the codes of a bad checkpoint.
    package init(
        _ path: String, _ number: Int?, named name: String, for pools: [Int: ExpertPool],
        in store: SnapshotStore
    ) throws {
        let find = try Self.finder(path, number, store)
        var rounded: Set<String> = []
        for (layer, pool) in pools.sorted(by: { $0.key < $1.key }) {
            let found = try find(layer)
            guard found.parts.map(\.dimensions) == pool.parts.map(\.dimensions) else {
                throw CambiumError(
                    .badShape,
                    "layer \(layer) of \(name) has an expert of \(found.parts), but the model's "
                        + "are of \(pool.parts)" + Self.advice(found.parts, pool.parts))
            }
            let bad = NonFiniteCount(found.bytes.raw, found.parts)
            guard bad.nan == 0, bad.infinite == 0 else {
                throw CambiumError(
                    .badInput,
                    "layer \(layer) of \(name) has \(bad.nan) NaN and \(bad.infinite) infinite "
                        + "elements; an expert must be finite")
            }
            guard found.parts != pool.parts else {
                experts[layer] = found.bytes
                continue
            }
            guard let values = FloatCode.decode(found.bytes, found.parts),
                let bytes = FloatCode.encode(values, pool.parts)
            else {
                throw CambiumError(
                    .badShape,
                    "layer \(layer) of \(name) is \(found.parts), which cannot be made "
                        + "\(pool.parts)" + Self.advice(found.parts, pool.parts))
            }
            experts[layer] = bytes
            rounded.insert("\(found.parts[0].type.name) to \(pool.parts[0].type.name)")
        }
        notes += rounded.sorted().map { "the expert was converted from \($0), as the model has" }
    }

    /// What to do where one is codes with scales and the other is not, or is other codes.
    private static func advice(_ own: [TensorShape], _ model: [TensorShape]) -> String {
        func isCodes(_ parts: [TensorShape]) -> Bool {
            parts.contains { ![.f32, .f16, .bf16].contains($0.type) }
        }
        return switch (isCodes(own), isCodes(model)) {
        case (_, true):
            "; the model's experts are codes: add the expert to a branch of the commit before they became codes "
                + "(cambium log), and quantise that branch (cambium quantize), or take an expert of the same codes"
        case (true, false):
            "; it is codes, and the model's experts are not: take the expert of a model that is not quantised"
        case (false, false): ""
        }
    }

    private typealias Found = (parts: [TensorShape], bytes: [UInt8])

    /// What reads the source's expert of a layer.
    private static func finder(
        _ path: String, _ number: Int?, _ store: SnapshotStore
    ) throws -> (_ layer: Int) throws -> Found {
        let checkpoint: Checkpoint
        do {
            checkpoint = try Checkpoint(opening: path)
        } catch let error as CambiumError where error.code == .notFound {
            guard try store.has(path) else {
                throw CambiumError(
                    .notFound, "\(error.message); it is no revision of the store either")
            }
            guard let number else {
                throw CambiumError(
                    .usage,
                    "\(path) is a revision; name one of its experts: \(path):NUMBER")
            }
            let snapshot = try store.map(at: path)
            return { layer in try stored(number, layer, snapshot, path) }
        }
        let layout = try checkpoint.layout()
        guard let number else {
            return { layer in try dense(layer, layout, checkpoint) }
        }
        return { layer in try expert(number, layer, layout, checkpoint) }
    }

    private static func stored(
        _ number: Int, _ layer: Int, _ snapshot: MappedSnapshot, _ name: String
    ) throws -> Found {
        guard let experts = snapshot.experts(layer: UInt32(layer), pool: ExpertPool.base) else {
            throw CambiumError(.notFound, "\(name) has no experts in layer \(layer)")
        }
        guard (0..<experts.count).contains(number) else {
            throw CambiumError(
                .notFound,
                "\(name) has no expert \(number) in layer \(layer), but \(experts.count), from 0")
        }
        return (experts.pool.parts, try experts.checked(number).payload.copy())
    }

    private static func expert(
        _ number: Int, _ layer: Int, _ layout: CheckpointLayout, _ checkpoint: Checkpoint
    ) throws -> Found {
        guard
            let pool = layout.pools.first(where: {
                $0.layer == layer && $0.pool == ExpertPool.base
            })
        else {
            throw CambiumError(
                .notFound,
                "\(checkpoint.path) has no experts in layer \(layer)"
                    + (layout.note.map { " (\($0))" } ?? ""))
        }
        guard (0..<pool.expertCount).contains(number), !pool.absent.contains(number) else {
            throw CambiumError(
                .notFound,
                "\(checkpoint.path) has no expert \(number) in layer \(layer), but "
                    + "\(pool.expertCount - pool.absent.count), "
                    + (pool.absent.isEmpty ? "from 0" : "with gaps"))
        }
        let reader = try PoolReader(pool, in: checkpoint)
        var bytes: [UInt8] = []
        reader.append(expert: number, to: &bytes)
        return (pool.parts, bytes)
    }

    private static func dense(
        _ layer: Int, _ layout: CheckpointLayout, _ checkpoint: Checkpoint
    ) throws -> Found {
        var found: Found = ([], [])
        for part in ExpertNames.gated {
            let name = "model.layers.\(layer).mlp.\(part)"
            guard let tensor = checkpoint.tensor(named: name) else {
                let pool = layout.pools.first { $0.layer == layer }
                throw CambiumError(
                    .usage,
                    pool.map {
                        "\(checkpoint.path) has \($0.expertCount) experts in layer \(layer); name one: "
                            + "\(checkpoint.path):NUMBER"
                    }
                        ?? "\(checkpoint.path) has neither experts nor a tensor \(name) to make one of"
                )
            }
            found.parts.append(tensor.shape)
            found.bytes += tensor.bytes.copy()
        }
        return found
    }
}
