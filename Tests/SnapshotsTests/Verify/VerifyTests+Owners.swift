import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

extension VerifyTests {
    @Test("the fault of an expert or tensor names it, with the revisions and branches that have it")
    func owners() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 300)
            let first = try store.commit(model, time: 1).id
            try store.createReference(.branch, "side", at: first, by: .sample)
            model.edit(17, seed: 9)
            let head = try store.commit(model, time: 2).id
            let planting = Planting(store: store, head: head)
            let tree = try store.tree(store.commit(head).tree)
            let older = try store.tree(store.commit(first).tree)
            let (name, tensor) = try #require(tree.trunk.tensors.min { $0.key < $1.key })
            func flip(_ id: ObjectID) throws {
                let location = try store.environment.read { transaction in
                    try ObjectReader(transaction).location(of: id, transaction)
                }
                let place = try #require(location)
                try planting.flip(
                    "packs", [0, 0, 0, 0, 0, 0, 0, UInt8(place.pack)], at: 48 + 64 * Int(place.unit)
                )
            }
            func expert(_ tree: Tree, _ ordinal: Int) throws -> ObjectID {
                try store.environment.read { transaction in
                    let root = tree.layers[1]?.pools["base"]?.experts ?? .zero
                    let entry = try ArrayView(root, transaction).entry(ordinal)
                    return try ObjectReader(transaction).id(
                        at: entry.location, check: entry.check, transaction)
                }
            }
            let shared = try expert(older, 5)
            let replaced = try expert(older, 17)
            for id in [tensor.id, shared, replaced] { try flip(id) }
            let faults = try store.faults()
            func fault(_ id: ObjectID) throws -> String {
                try #require(faults.first { $0.hasPrefix("object \(id.hex)") })
            }
            #expect(try fault(tensor.id).contains("it is tensor \(name), in "))
            #expect(try fault(shared).contains("it is expert 1/5, in "))
            #expect(try fault(shared).contains(head.short))
            #expect(try fault(shared).hasSuffix("on branch main, branch side"))
            #expect(try fault(replaced).contains("it is expert 1/17, in \(first.short), on branch"))
            #expect(try !fault(replaced).contains(head.short))
        }
    }
}
