package import Objects

/// The trees of a merge, with the rule that decides between them.
package struct MergeTrees {
    /// The distinct merge bases.
    package let bases: [Tree]
    package let sides: [Tree]
    /// Router tensors that were made of rows of several sides, of routers that are not floats alone, by their ids: the
    /// store does not have them yet.
    package let made: [ObjectID: [UInt8]]
    private let rule: MergeBases

    init(_ rule: MergeBases, _ sides: [Tree], made: [ObjectID: [UInt8]]) {
        self.made = made
        bases = rule.trees
        self.sides = sides
        self.rule = rule
    }

    /// What the three-way rule says about a value of which each tree has one.
    package func decide<Value: Equatable>(
        bases: [Value], sides: [Value]
    ) -> MergeDecision<Value> {
        rule.decide(bases, sides: sides)
    }

    /// What the three-way rule says about a value of the trees.
    package func decide<Value: Equatable>(_ value: (Tree) -> Value) -> MergeDecision<Value> {
        rule.decide(bases.map(value), sides: sides.map(value))
    }
}

/// Settles in what form a merged model is written as a checkpoint: its layout, and files that follow from it.
///
/// That is about files and not about the model, so it is never a conflict.
package protocol MergeForm {
    /// Names of the files that it settles.
    var files: Set<String> { get }

    /// Puts layout and files into a draft whose model is merged; a function of the trees, whatever their order.
    ///
    /// - Returns: What the merge commit's metadata say about it.
    func settle(
        _ trees: MergeTrees, _ draft: inout CommitDraft
    ) throws -> [String: String]

    /// Merges what stands in a file that sides changed differently.
    ///
    /// - Parameter choose: Of sides that contradict each other the one that counts; nil when none does.
    /// - Returns: Nil for a file that is one thing, of which one side's counts.
    func united(
        file name: String, of trees: MergeTrees, choose: @escaping ([Int]) -> Int?
    ) throws -> UnitedFile?
}

extension MergeForm {
    package func united(
        file name: String, of trees: MergeTrees, choose: @escaping ([Int]) -> Int?
    ) throws -> UnitedFile? { nil }
}

/// A file that was merged part by part.
package struct UnitedFile {
    let bytes: [UInt8]
    /// Parts that sides changed differently and nothing settles; then the bytes are nothing's.
    let contradictions: [String]
    /// Parts that were chosen.
    let chosen: [String]

    package init(bytes: [UInt8], contradictions: [String], chosen: [String]) {
        (self.bytes, self.contradictions, self.chosen) = (bytes, contradictions, chosen)
    }
}
