internal import Objects

/// What the three-way rule says about one value.
package enum MergeDecision<Value: Equatable> {
    case settled(Value)
    /// The sides that changed it, which do not agree.
    case conflict([Int])
}

/// The merge bases of some sides: the distinct trees, and which of them each pair of sides has.
struct MergeBases {
    let trees: [Tree]
    private let sideCount: Int
    /// Indexes into `trees` for the pair (i, j), at i · sideCount + j.
    private let pairs: [[Int]]

    /// - Parameters:
    ///   - ids: For each pair of sides, at i · count + j, the merge bases' commits.
    ///   - tree: Reads a commit's tree.
    init(
        sideCount: Int, _ ids: [[ObjectID]],
        tree: (ObjectID) throws -> Tree
    ) throws {
        let distinct = Set(ids.joined()).sorted()
        var trees: [Tree] = []
        for id in distinct { trees.append(try tree(id)) }
        self.trees = trees
        self.sideCount = sideCount
        pairs = ids.map { pair in distinct.indices.filter { pair.contains(distinct[$0]) } }
    }

    /// Some sides with one base.
    init(of sideCount: Int, over base: Tree) {
        trees = [base]
        self.sideCount = sideCount
        pairs = (0..<sideCount * sideCount).map { $0 / sideCount == $0 % sideCount ? [] : [0] }
    }

    /// The rule of every merge, for any number of sides at once, so that no pairing matters.
    ///
    /// A side's value gives way to another side's when it is what the two started from: when every
    /// merge base of the pair has it. If the values that are left agree, that is the result; else
    /// they are in conflict. For two sides with one base this is git's rule; where criss-cross
    /// histories have bases that disagree, nothing gives way.
    ///
    /// - Parameter values: The value in each of `trees`.
    func decide<Value: Equatable>(_ values: [Value], sides: [Value]) -> MergeDecision<Value> {
        let standing = sides.indices.filter { side in
            !sides.indices.contains { other in
                sides[other] != sides[side]
                    && pairs[side * sideCount + other].allSatisfy { values[$0] == sides[side] }
            }
        }
        guard let first = standing.first else { return .conflict(Array(sides.indices)) }
        return standing.allSatisfy { sides[$0] == sides[first] }
            ? .settled(sides[first]) : .conflict(standing)
    }
}
