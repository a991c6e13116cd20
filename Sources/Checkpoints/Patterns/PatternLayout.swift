internal import Architectures
internal import Elements
internal import Snapshots

/// The experts of a model whose family does not tell how they are named, by what names and shapes look like.
///
/// *Separate*: each expert has tensors of its own, whose names hold its number (``ExpertTensorName``). *Stacked*:
/// tensors [E, …] under `experts` or `switch_…`, or of three dimensions beside the router, in a block with a router
/// [E, H]. What is irregular stays outside, tensor by tensor.
struct PatternLayout {
    /// The tensors of one kind of part, one for each expert.
    struct Column {
        /// The name around the number.
        let head: Substring
        let tail: Substring
        /// Where the part's name begins in the head.
        let start: Int
        let shape: TensorShape
        /// An expert of another shape than the first.
        var otherShape: (ordinal: Int, shape: TensorShape)?
        var greatest = 0
        /// Ordinals, and positions in the list of tensors.
        var members: [(ordinal: Int32, tensor: Int32)] = []
    }

    /// What has experts, or routes to them: `model.layers.3.mlp`.
    struct Block {
        let name: String
        /// Positions of tensors that route.
        var routers: [Int] = []
        var columns: [Int] = []
        /// Positions of what may be stacked experts.
        var stacked: [Int] = []
    }

    private(set) var pools: [CheckpointPool] = []
    /// What the pools were told by: `model.layers.{n}.mlp.experts.{e}.*`.
    private(set) var patterns: [String] = []
    /// Why tensors stay outside that look as if they were experts'.
    private(set) var irregular: [String] = []
    /// By position, whether a tensor belongs to a pool or routes to it.
    private(set) var isTaken: [Bool]

    private let tensors: [TensorEntry]
    private var blocks: [Block] = []
    private var columns: [Column] = []

    /// Each becomes a record of its own; a file of more is no model's.
    private static let mostBlocks = 16_384
    /// Components between a block and the end of a stacked tensor's name.
    private static let greatestDepth = 4

    /// - Complexity: Linear in the tensors.
    init(_ tensors: [TensorEntry]) {
        self.tensors = tensors
        isTaken = [Bool](repeating: false, count: tensors.count)
        sort()
        guard blocks.count <= Self.mostBlocks else {
            irregular = ["there are more than \(Self.mostBlocks) blocks of experts or routers"]
            return
        }
        var found: [(place: PatternPlaces.Place, experts: PatternExperts)] = []
        for block in blocks where !block.columns.isEmpty || !block.stacked.isEmpty {
            switch PatternExperts.find(block, columns, tensors) {
            case .experts(let experts): found.append((PatternPlaces.Place(block.name), experts))
            case .irregular(let reason): irregular += reason.map { [$0] } ?? []
            }
        }
        let adapters = Set(tensors.compactMap { AdapterTensorName.adapter(describedBy: $0.name) })
        var told: Set<String> = []
        for ((place, experts), pool) in zip(found, PatternPlaces.pools(found.map(\.place))) {
            guard let pool, !adapters.contains(pool) else {
                irregular.append("a pool cannot be named as \(quoted(place.pattern)) would have it")
                continue
            }
            pools.append(experts.pool(layer: place.number, pool: pool))
            for tensor in experts.taken { isTaken[tensor] = true }
            told.insert(place.pattern + experts.pattern)
        }
        pools.sort { left, right in
            if left.layer != right.layer { return left.layer < right.layer }
            let isBase = (
                left.pool == ExpertPool.base, right.pool == ExpertPool.base
            )
            return isBase.0 != isBase.1 ? isBase.0 : isBefore(left.pool, right.pool)
        }
        patterns = told.sorted(by: isBefore)
    }

    /// Sorts the tensors into blocks and columns.
    private mutating func sort() {
        var index = Index()
        var candidates: [Int] = []
        for (position, tensor) in tensors.enumerated() {
            guard blocks.count <= Self.mostBlocks else { return }
            guard let name = ExpertTensorName(tensor.name) else { continue }
            if let number = name.number {
                add(position, number, &index)
            } else if let end = name.router {
                let block = block(tensor.name.prefix(bytes: end), &index)
                blocks[block].routers.append(position)
            } else if tensor.shape.dimensions.count > 2
                || name.hasContainer && !tensor.shape.dimensions.isEmpty
            {
                candidates.append(position)
            }
        }
        var alone: [Int] = []
        // What else belongs to a matrix outside a container, such as a bias, stands beside it or in the block.
        var folders: [Substring: Int] = [:]
        for position in candidates {
            let name = tensors[position].name
            guard let (block, depth) = blockAbove(name, index) else {
                if ExpertTensorName(name)?.hasContainer == true { alone.append(position) }
                continue
            }
            blocks[block].stacked.append(position)
            guard depth <= 2, let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { continue }
            folders[name[..<dot]] = block
            folders[Substring(blocks[block].name)] = block
        }
        if !folders.isEmpty {
            for (position, tensor) in tensors.enumerated()
            where tensor.shape.dimensions.count == 2 {
                guard let dot = tensor.name.utf8.lastIndex(of: UInt8(ascii: ".")),
                    let block = folders[tensor.name[..<dot]],
                    let name = ExpertTensorName(tensor.name), !name.hasContainer,
                    name.number == nil, name.router == nil
                else { continue }
                blocks[block].stacked.append(position)
            }
        }
        if let first = alone.first {
            irregular.append(
                "\(quoted(tensors[first].name))"
                    + (alone.count > 1 ? " and \(alone.count - 1) more" : "")
                    + " may stack experts, but no router stands beside")
        }
    }

    /// What is known by name while tensors are sorted.
    private struct Index {
        var blocks: [Substring: Int] = [:]
        /// Numbers of what comes before an expert's number, and its block.
        var heads: [Substring: (number: Int, block: Int)] = [:]
        var tails: [Substring: Int] = [:]
        /// By the numbers of head and tail.
        var columns: [SIMD2<Int32>: Int] = [:]
    }

    private mutating func block(_ name: Substring, _ index: inout Index) -> Int {
        if let block = index.blocks[name] { return block }
        blocks.append(Block(name: String(name)))
        index.blocks[name] = blocks.count - 1
        return blocks.count - 1
    }

    private mutating func add(
        _ position: Int, _ number: ExpertTensorName.Number, _ index: inout Index
    ) {
        let (name, shape) = (tensors[position].name, tensors[position].shape)
        let head = name.prefix(bytes: number.digits.lowerBound)
        let tail = name.suffix(fromByte: number.digits.upperBound)
        let (headNumber, block): (Int, Int)
        if let known = index.heads[head] {
            (headNumber, block) = known
        } else {
            block = self.block(name.prefix(bytes: number.block), &index)
            headNumber = index.heads.count
            index.heads[head] = (headNumber, block)
        }
        let tailNumber = index.tails[tail] ?? index.tails.count
        index.tails[tail] = tailNumber
        let key = SIMD2(
            Int32(truncatingIfNeeded: headNumber), Int32(truncatingIfNeeded: tailNumber))
        let member = (
            ordinal: Int32(truncatingIfNeeded: number.value),
            tensor: Int32(truncatingIfNeeded: position)
        )
        guard let column = index.columns[key] else {
            index.columns[key] = columns.count
            blocks[block].columns.append(columns.count)
            columns.append(
                Column(
                    head: head, tail: tail, start: number.part, shape: shape,
                    greatest: number.value, members: [member]))
            return
        }
        columns[column].members.append(member)
        columns[column].greatest = max(columns[column].greatest, number.value)
        if columns[column].otherShape == nil, columns[column].shape != shape {
            columns[column].otherShape = (number.value, shape)
        }
    }

    /// The nearest block with a router that a tensor may be stacked in, and how many components its name has there.
    private func blockAbove(_ name: String, _ index: Index) -> (block: Int, depth: Int)? {
        var end = name.endIndex
        for depth in 1...Self.greatestDepth {
            let dot = name.utf8[..<end].lastIndex(of: UInt8(ascii: "."))
            end = dot ?? name.startIndex
            if let block = index.blocks[name[..<end]], !blocks[block].routers.isEmpty {
                return (block, depth)
            }
            guard dot != nil else { return nil }
        }
        return nil
    }
}

extension PatternLayout.Column {
    /// The name of the part without the expert's number and the wrappers of modules: `w1.weight`.
    var part: String {
        let head = head.suffix(fromByte: start)
        let word = ["expert_", "expert"].first { head.hasSuffix($0) } ?? ""
        return (head.dropLast(word.count) + tail).split(separator: ".")
            .filter { !Self.wrappers.contains(String($0)) }.joined(separator: ".")
    }

    private static let wrappers: Set = [
        "_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
    ]
}

extension StringProtocol {
    fileprivate func prefix(bytes count: Int) -> SubSequence {
        self[..<utf8.index(startIndex, offsetBy: count)]
    }

    fileprivate func suffix(fromByte start: Int) -> SubSequence {
        self[utf8.index(startIndex, offsetBy: start)...]
    }
}
