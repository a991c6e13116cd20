internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots

/// The experts of one block, found by pattern.
struct PatternExperts {
    enum Finding {
        case experts(PatternExperts)
        /// Why there are none, where it looks as if there were.
        case irregular(String?)
    }

    private let kind: ObjectKind
    private let count: Int
    private let absent: [Int]
    private let tensors: [PoolTensor]
    private let routers: [String]
    /// Positions of the tensors that hold or route to the experts.
    let taken: [Int]
    /// What they were told by, behind the block's name: `experts.{e}.*`.
    let pattern: String

    func pool(layer: Int, pool: String) -> CheckpointPool {
        CheckpointPool(
            layer: layer, pool: pool, kind: kind, expertCount: count, absent: absent,
            tensors: tensors, routerKind: .linear, routerTensors: routers)
    }

    // A part of every expert, before the parts are in order.
    private struct Part {
        let name: String
        let template: String
        let slice: TensorShape
        /// Positions of the tensors that hold it.
        let tensors: [Int]
    }

    static func find(
        _ block: PatternLayout.Block, _ columns: [PatternLayout.Column], _ all: [TensorEntry]
    ) -> Finding {
        guard !block.columns.isEmpty else { return stacked(block, block.stacked, all) }
        guard block.columns.count <= mostColumns else {
            return .irregular(
                "\(quoted(block.name)) has \(block.columns.count) kinds of parts of experts")
        }
        let own = block.columns.map { columns[$0] }
        let found = separate(block, own, all)
        if case .experts = found { return found }
        // The number may be that of a matrix in the experts: `experts.net.2.weight` [E, …].
        let matrices = own.flatMap { column in column.members.map { Int($0.tensor) } }
        guard matrices.allSatisfy({ all[$0].shape.dimensions.count > 2 }),
            case .experts(let experts) = stacked(block, block.stacked + matrices, all)
        else { return found }
        return .experts(experts)
    }

    /// An object has at most 255 parts, and some may stay outside.
    private static let mostColumns = 1_024

    // MARK: Separate

    /// Ordinals behind the number of experts that a block may have without a router of as many rows.
    private static let greatestGap = 1_024
    /// Experts that may be missing for each that is there.
    private static let mostMissing = 16
    /// Tensors that experts do not have alike stay outside when they are so much smaller than the others.
    private static let aside = 64.0

    private static func separate(
        _ block: PatternLayout.Block, _ columns: [PatternLayout.Column], _ all: [TensorEntry]
    ) -> Finding {
        func size(_ column: PatternLayout.Column) -> Double {
            Double(column.shape.byteCount ?? 0) * Double(column.members.count)
        }
        guard let main = columns.max(by: { size($0) < size($1) }) else {
            return .irregular("\(quoted(block.name)) has no experts")
        }
        let (count, rows) = (main.greatest + 1, rows(of: block, all))
        // Counted rather than allotted: one hostile name may hold a huge ordinal.
        guard count <= max(greatestGap + mostMissing * main.members.count, rows ?? 0) else {
            return .irregular(
                "\(name(main, main.greatest)) is one of \(main.members.count) experts, numbered with gaps"
            )
        }
        var isPresent = [Bool](repeating: false, count: count)
        for member in main.members { isPresent[Int(member.ordinal)] = true }
        var parts: [Part] = []
        var (reason, left) = ("", 0.0)
        for column in columns {
            guard let fault = fault(column, isPresent, main.members.count) else {
                parts.append(
                    Part(
                        name: column.part,
                        template: "\(column.head)\(PoolTensor.placeholder)\(column.tail)",
                        slice: column.shape, tensors: column.members.map { Int($0.tensor) }))
                continue
            }
            if reason.isEmpty { reason = fault }
            left += size(column)
        }
        guard left * aside <= columns.reduce(0, { $0 + size($1) }) else {
            return .irregular(reason)
        }
        let head = main.head.dropFirst(block.name.isEmpty ? 0 : block.name.utf8.count + 1)
        return experts(
            parts, stacked: false, count: count,
            absent: isPresent.indices.filter { !isPresent[$0] },
            routers: rows.map { $0 >= count ? routers(of: block, $0, all) : [] } ?? [], all,
            block, "\(head)\(PoolTensor.placeholder)" + (main.tail.isEmpty ? "" : ".*"))
    }

    /// Why a kind of part is not that of every expert; nil when it is.
    private static func fault(
        _ column: PatternLayout.Column, _ isPresent: [Bool], _ count: Int
    ) -> String? {
        if let other = column.otherShape {
            return "\(name(column, other.ordinal)) is \(other.shape), but others of its kind are "
                + "\(column.shape)"
        }
        if let stray = column.members.first(where: {
            $0.ordinal >= isPresent.count || !isPresent[Int($0.ordinal)]
        }) {
            return
                "\(name(column, Int(stray.ordinal))) is of an expert that lacks its other tensors"
        }
        guard column.members.count < count else { return nil }
        var isMissing = isPresent
        for member in column.members { isMissing[Int(member.ordinal)] = false }
        let ordinal = isMissing.firstIndex(of: true) ?? 0
        return "\(name(column, ordinal)) is missing"
    }

    private static func name(_ column: PatternLayout.Column, _ ordinal: Int) -> String {
        quoted("\(column.head)\(ordinal)\(column.tail)")
    }

    // MARK: Stacked

    private static func stacked(
        _ block: PatternLayout.Block, _ candidates: [Int], _ all: [TensorEntry]
    ) -> Finding {
        // A gate beside other tensors of three dimensions says nothing of experts.
        let example = candidates.first { ExpertTensorName(all[$0].name)?.hasContainer == true }
        guard let rows = rows(of: block, all) else {
            return .irregular(
                example.map {
                    "\(quoted(all[$0].name)) may stack experts, but \(quoted(block.name)) has no one "
                        + "router of a row for each"
                })
        }
        let depth = block.name.isEmpty ? 0 : block.name.utf8.count + 1
        // A block that is a whole layer has more than experts.
        let isLayer = block.name.split(separator: ".").last.map { ordinal($0) != nil } ?? true
        var parts: [Part] = []
        // Outside a container one tensor may have as many rows as the router by chance.
        var evidence = 0
        for position in candidates where all[position].shape.dimensions.first == rows {
            let (name, shape) = (all[position].name, all[position].shape)
            let rest = name.dropFirst(depth)
            let isContained = ExpertTensorName(String(rest))?.hasContainer == true
            guard
                isContained
                    || !isLayer && !rest.contains("shared") && rest.split(separator: ".").count <= 2
            else { continue }
            if isContained || shape.dimensions.count > 2 { evidence += isContained ? 2 : 1 }
            parts.append(
                Part(
                    name: rest.split(separator: ".").filter {
                        ExpertTensorName(String($0))?.hasContainer != true
                    }.joined(separator: "."),
                    template: name,
                    slice: TensorShape(shape.type, Array(shape.dimensions.dropFirst())),
                    tensors: [position]))
        }
        guard parts.contains(where: { !$0.slice.dimensions.isEmpty }), evidence > 1 else {
            return .irregular(
                example.map {
                    "\(quoted(all[$0].name)) is \(all[$0].shape), but its router has \(rows) rows"
                })
        }
        return experts(
            parts, stacked: true, count: rows, absent: [], routers: routers(of: block, rows, all),
            all,
            block, nil)
    }

    // MARK: Routers

    /// The rows of a block's router, of which each is an expert's; nil when there is no router, or several differ.
    private static func rows(of block: PatternLayout.Block, _ all: [TensorEntry]) -> Int? {
        let matrices = block.routers.map { all[$0].shape.dimensions }
            .filter { $0.count == 2 && $0[0] > 0 && $0[1] > 0 }
        guard let rows = matrices.first?[0], matrices.allSatisfy({ $0[0] == rows }) else {
            return nil
        }
        return rows
    }

    private static func routers(
        of block: PatternLayout.Block, _ rows: Int, _ all: [TensorEntry]
    ) -> [Int] {
        block.routers.filter { all[$0].shape.dimensions.first == rows }
    }

    // MARK: Parts

    private static func experts(
        _ parts: [Part], stacked: Bool, count: Int, absent: [Int], routers: [Int],
        _ all: [TensorEntry], _ block: PatternLayout.Block, _ pattern: String?
    ) -> Finding {
        do {
            let (kind, tensors) = try inOrder(parts, stacked: stacked)
            let size = tensors.reduce(0.0) { $0 + Double($1.sliceByteCount) }
            guard size > 0, size <= Double(ObjectHeader.maximumPayload), tensors.count <= 255,
                tensors.allSatisfy({ $0.sliceDimensions.count < 255 })
            else {
                return .irregular(
                    "an expert of \(quoted(block.name)) has \(tensors.count) parts of "
                        + "\(Int(min(size, 1e15))) bytes, which are no object")
            }
            // Of the largest part, the first of that size.
            let main = tensors.max { $0.sliceByteCount < $1.sliceByteCount }?.template ?? ""
            let rest = main.dropFirst(block.name.isEmpty ? 0 : block.name.utf8.count + 1)
            return .experts(
                PatternExperts(
                    kind: kind, count: count, absent: absent, tensors: tensors,
                    routers: routers.map { all[$0].name },
                    taken: parts.flatMap(\.tensors) + routers,
                    pattern: pattern ?? "\(rest) [\(PoolTensor.placeholder), …]"))
        } catch {
            return .irregular("\(error)")
        }
    }

    /// The parts in the order of an expert's canonical bytes: gate, up and down where they are known to be these.
    private static func inOrder(
        _ parts: [Part], stacked: Bool
    ) throws -> (ObjectKind, [PoolTensor]) {
        func tensor(_ part: Part, halves: TensorShape? = nil) throws -> PoolTensor {
            try PoolTensor(
                template: part.template, stacked: stacked, slice: part.slice,
                parts: halves.map { [$0, $0] })
        }
        func named(_ stems: [String]) -> [Part]? {
            guard parts.count == stems.count else { return nil }
            let found = ["", ".weight"].lazy.map { ending in
                stems.compactMap { stem in parts.first { $0.name == stem + ending } }
            }
            return found.first {
                $0.count == stems.count && $0.allSatisfy { $0.slice.dimensions.count == 2 }
            }
        }
        for triple in ExpertPartNames.triples {
            guard let found = named(triple) else { continue }
            let dimensions = found.map(\.slice.dimensions)
            guard dimensions[1] == dimensions[0], dimensions[2] == dimensions[0].reversed() else {
                continue
            }
            return (.swiglu, try found.map { try tensor($0) })
        }
        for pair in ExpertPartNames.pairs {
            guard let found = named(pair) else { continue }
            let (both, down) = (found[0].slice, found[1].slice)
            let half = TensorShape(both.type, down.dimensions.reversed())
            guard both.dimensions[1] == half.dimensions[1], half.byteCount != nil,
                both.dimensions[0] % 2 == 0, both.dimensions[0] / 2 == half.dimensions[0]
            else { continue }
            return (.swiglu, [try tensor(found[0], halves: half), try tensor(found[1])])
        }
        let sorted = parts.sorted { left, right in
            left.name == right.name
                ? isBefore(left.template, right.template)
                : TransformersLayout.Layer.precedes(left.name, right.name)
        }
        return (.tensors, try sorted.map { try tensor($0) })
    }
}
