internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots

/// Merges config.json field by field: what a model is made of is changed by quantising, growing and training on one side
/// each, and a side's whole file would say nothing of the others' tensors.
struct ConfigMerge {
    static let file = "config.json"

    let store: SnapshotStore

    /// - Returns: Nil where a side or a base has no such file, or one that is no JSON object with each key once.
    /// - Throws: What reading throws.
    func united(
        _ trees: MergeTrees, choose: @escaping ([Int]) -> Int?
    ) throws -> UnitedFile? {
        func texts(_ trees: [Tree]) throws -> [[UInt8]]? {
            var texts: [[UInt8]] = []
            for tree in trees {
                guard let id = tree.files[Self.file] else { return nil }
                do {
                    texts.append(try store.data(of: id).1)
                } catch let error as CambiumError where error.code == .notFound {
                    // The file of a tree that is in the making is not in the store.
                    return nil
                }
            }
            return texts
        }
        guard let bases = try texts(trees.bases), let sides = try texts(trees.sides) else {
            return nil
        }
        do {
            let merge = try JSONMerge(
                bases: bases, sides: sides, source: Self.file, code: .badConfig,
                parts: BlockForms.configParts,
                standing: { bases, sides in
                    switch trees.decide(bases: bases, sides: sides) {
                    case .settled(let value): sides.firstIndex(of: value).map { [$0] } ?? []
                    case .conflict(let standing): standing
                    }
                }, choose: choose)
            return UnitedFile(
                bytes: merge.bytes, contradictions: merge.contradictions, chosen: merge.chosen)
        } catch let error as CambiumError
            where error.code == .badConfig || error.code == .duplicateName
        {
            return nil
        }
    }
}
