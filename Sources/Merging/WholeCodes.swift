internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots

/// Refuses codes of one side with the scales of another: they are no conflict tensor by tensor, but a matrix that nobody
/// made.
///
/// A matrix comes whole from one tree; of a router, where codes and scales have the same rows, each row does.
struct WholeCodesForm: MergeForm {
    let inner: any MergeForm
    let store: SnapshotStore

    var files: Set<String> { inner.files }

    func united(
        file name: String, of trees: MergeTrees, choose: @escaping ([Int]) -> Int?
    ) throws -> UnitedFile? {
        guard name == ConfigMerge.file else { return nil }
        return try ConfigMerge(store: store).united(trees, choose: choose)
    }

    func settle(_ trees: MergeTrees, _ draft: inout CommitDraft) throws -> [String: String] {
        let notes = try inner.settle(trees, &draft)
        let all = trees.sides + trees.bases
        try check(draft.tree.trunk.tensors, all.map(\.trunk.tensors))
        for (number, layer) in draft.tree.layers.sorted(by: { $0.key < $1.key }) {
            for (name, pool) in layer.pools.sorted(by: { isBefore($0.key, $1.key) }) {
                let others = all.compactMap { $0.layers[number]?.pools[name]?.router }
                try check(
                    pool.router, others, made: trees.made,
                    router: MergeEntity.rowPath(layer: number, pool: name))
            }
        }
        return notes
    }

    /// - Parameter router: How a row of the router that the tensors are is spelled; nil of others, which are whole.
    /// - Throws: `incompatible`, naming the matrix.
    private func check(
        _ merged: [String: StoredTensor], _ sides: [[String: StoredTensor]],
        made: [ObjectID: [UInt8]] = [:], router: ((Int) -> String)? = nil
    ) throws {
        let names = sides.reduce(Set(merged.keys)) { $0.union($1.keys) }
        for matrix in CodedTensorNames.matrices(names) {
            let own = matrix.map { merged[$0] }
            let others = sides.map { side in matrix.map { side[$0] } }
            // Floats that another side has as codes are of themselves.
            guard own[0] != nil || own.contains(where: { $0?.shape.type.isCode == true }),
                !others.contains(own)
            else { continue }
            let text = "\(matrix[0]) and \(matrix.dropFirst().joined(separator: ", "))"
            guard let router, let rows = try self.rows(own, others, made) else {
                throw CambiumError(
                    .incompatible,
                    "\(text) are the scales and the codes of one matrix, and would come from different sides; take all "
                        + "of them from one, first in a commit on the other (cambium restore 'SIDE:NAME' for each), "
                        + "or where they are in conflict by --take")
            }
            guard let row = rows.first else { continue }
            throw CambiumError(
                .incompatible,
                "row \(row) of \(text) are the scales and the codes of one row of a router, and would come from "
                    + "different sides; take both from one: --take '\(router(row))=SIDE' where both are in "
                    + "conflict, or first a commit on the other (cambium restore 'SIDE:\(router(row))')"
            )
        }
    }

    /// The rows of which no tree has all tensors' parts; nil where the tensors do not have the same rows.
    private func rows(
        _ own: [StoredTensor?], _ others: [[StoredTensor?]], _ made: [ObjectID: [UInt8]]
    ) throws -> [Int]? {
        let shapes = own.map { $0?.shape }
        let counts = Set(shapes.compactMap { $0?.dimensions.first })
        let alike = others.filter { $0.map { $0?.shape } == shapes }
        guard counts.count == 1, let count = counts.first, !alike.isEmpty else { return nil }
        func data(_ tensors: [StoredTensor?]) throws -> [[UInt8]] {
            try tensors.compactMap { $0 }.map { try made[$0.id] ?? store.data(of: $0.id).1 }
        }
        let merged = try data(own)
        let sides = try alike.map(data)
        guard count > 0, merged.allSatisfy({ $0.count % count == 0 }) else { return nil }
        func row(_ bytes: [UInt8], _ number: Int) -> ArraySlice<UInt8> {
            let size = bytes.count / count
            return bytes[number * size..<(number + 1) * size]
        }
        return (0..<count).filter { number in
            !sides.contains { side in
                zip(side, merged).allSatisfy { row($0, number) == row($1, number) }
            }
        }
    }
}

extension ElementType {
    fileprivate var isCode: Bool { ![.f32, .f16, .bf16].contains(self) }
}

/// Leaves scales in conflict whose codes stand beside them, where another policy would make new numbers of them: with the
/// codes of a side they would be a matrix that nobody made.
struct WholeCodesPolicy: ConflictPolicy {
    private let inner: any ConflictPolicy
    private let scales: Set<String>

    /// - Parameter trees: What is merged; without codes in them the policy is not asked about.
    static func keeping(_ policy: any ConflictPolicy, _ trees: [Tree]) -> any ConflictPolicy {
        guard !policy.takesSide else { return policy }
        let scales = trees.reduce(Set<String>()) { names, tree in
            names.union(CodedTensorNames.matrices(Set(tree.tensors.keys)).map { $0[0] })
        }
        return scales.isEmpty ? policy : WholeCodesPolicy(inner: policy, scales: scales)
    }

    var name: String { inner.name }

    func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        if let tensor = entity.tensor, scales.contains(tensor) { return nil }
        return inner.resolve(entity, parts: parts, base: base, values: values)
    }
}
