import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Changes of expert arrays")
struct ArrayEditTests {
    private static let parts = [TensorShape(.f32, [1]), TensorShape(.f32, [1])]

    /// Commits an array of `ids` on main, from `base` and changes or as a whole.
    private func commit(
        _ store: SnapshotStore, _ experts: [Int: UInt64], changing base: ObjectID?, count: Int
    ) throws -> (root: ObjectID, count: Int) {
        var draft = try CommitDraft(store, tree: Tree(architecture: "test"))
        let header = try ObjectHeader(.neuron, Self.parts)
        var ids: [Int: ObjectID] = [:]
        for (ordinal, value) in experts {
            guard value != 0 else {
                ids[ordinal] = .zero
                continue
            }
            var encoder = ByteEncoder()
            encoder.append(value)
            ids[ordinal] = try draft.put(header, encoder.bytes.raw)
        }
        var root: ObjectID
        var length = count
        if let base {
            (root, length) = try draft.putExperts(changing: base, ids)
        } else {
            root = draft.putExperts((0..<count).map { ids[$0] ?? .zero })
        }
        let pool = ExpertPool(
            kind: .neuron, parts: Self.parts, count: UInt64(length), experts: root,
            routerKind: .linear, router: [:])
        draft.tree = Tree(
            architecture: "test", layers: [1: Layer(pools: [ExpertPool.base: pool])])
        let head = try store.references().branches["main"]
        _ = try draft.commit(
            to: "main", parents: head.map { [$0] } ?? [], note: .sample(), keepsUnchanged: true)
        return (root, length)
    }

    @Test(
        "random changes give the root of the whole list, at every size of the tree",
        arguments: [1, 15, 16, 17, 255, 256, 257, 300, 4_095, 4_096, 4_097, 9_000])
    func random(count: Int) throws {
        try withStore { store in
            var random = SeededGenerator.announced()
            var model = (0..<count).map { UInt64($0 + 1) }
            var (root, _) = try commit(
                store, Dictionary(uniqueKeysWithValues: model.enumerated().map { ($0, $1) }),
                changing: nil, count: count)
            for round in 0..<25 {
                var changes: [Int: UInt64] = [:]
                for _ in 0..<[1, 3, 40][round % 3] {
                    // Now and then behind the end, or away with it.
                    let end = round % 5 == 0 ? model.count + 20 : model.count
                    changes[Int.random(in: 0..<end, using: &random)] =
                        Int.random(in: 0..<6, using: &random) == 0
                        ? 0 : UInt64.random(in: 1 ... .max, using: &random)
                }
                if round == 11 { changes[model.count - 1] = 0 }
                for (ordinal, value) in changes {
                    while model.count <= ordinal { model.append(0) }
                    model[ordinal] = value
                }
                while model.last == 0 { model.removeLast() }
                guard !model.isEmpty else { return }
                let outcome = try commit(store, changes, changing: root, count: 0)
                root = outcome.root
                #expect(outcome.count == model.count)
                let header = try ObjectHeader(.neuron, Self.parts)
                let ids = model.map { value -> ObjectID in
                    var encoder = ByteEncoder()
                    encoder.append(value)
                    return value == 0 ? .zero : header.id(of: encoder.bytes.raw)
                }
                #expect(root == ExpertArray.root(of: ids), "round \(round)")
                let head = try #require(try store.references().branches["main"])
                let tree = try store.tree(store.commit(head).tree)
                let pool = try #require(tree.layers[1]?.pools[ExpertPool.base])
                #expect(try store.experts(of: pool) == ids)
            }
            #expect(try store.faults().isEmpty)
            _ = try store.collect(prune: true, now: 2_000, grace: 0)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("changes to what is there already give the same array")
    func unchanged() throws {
        try withStore { store in
            let (root, _) = try commit(store, [0: 5, 1: 6, 2: 7], changing: nil, count: 3)
            let outcome = try commit(store, [1: 6], changing: root, count: 0)
            #expect(outcome.root == root && outcome.count == 3)
        }
    }

    @Test("an expert that is neither stored nor staged is refused")
    func unknown() throws {
        try withStore { store in
            let (root, _) = try commit(store, [0: 5, 1: 6], changing: nil, count: 2)
            var draft = try CommitDraft(store, tree: Tree(architecture: "test"))
            let (changed, count) = try draft.putExperts(
                changing: root, [1: ObjectID(hashing: [1, 2, 3])])
            let pool = ExpertPool(
                kind: .neuron, parts: Self.parts, count: UInt64(count), experts: changed,
                routerKind: .linear, router: [:])
            draft.tree = Tree(
                architecture: "test", layers: [1: Layer(pools: [ExpertPool.base: pool])])
            let head = try #require(try store.references().branches["main"])
            var thrown: CambiumError?
            do {
                _ = try draft.commit(to: "main", parents: [head], note: .sample())
            } catch let error as CambiumError {
                thrown = error
            }
            #expect(thrown?.message.contains("neither stored nor staged") == true)
            #expect(try store.references().branches["main"] == head)
        }
    }
}
