import Cambium
import Elements
import Snapshots
import TestSupport
import Testing

@Suite("Nearest experts")
struct NearestTests {
    /// Experts of four numbers each; nil for one that was removed.
    private func withExperts(
        _ experts: [[Float]?], _ body: (Store) throws -> Void
    ) throws {
        try withStore { snapshots in
            try snapshots.commit(model(experts), message: "base")
            try body(Store(snapshots, snapshots.directory))
        }
    }

    private func model(_ experts: [[Float]?]) -> SyntheticModel {
        var model = SyntheticModel.sample(experts: 1)
        let place = SyntheticModel.Place(1)
        model.pools[place] = SyntheticModel.Pool(neurons: experts.count, width: 2, seed: 1)
        model.pools[place]?.experts = experts.map { numbers in
            numbers?.flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
            }
        }
        model.layout = nil
        return model
    }

    private let experts: [[Float]?] = [
        [1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0], nil, [2, 0, 0, 0],
        [1, 0, 0, 0], [.nan, 1, 0, 0],
    ]

    @Test("those with the greatest cosine come first, of equal ones what is nearer")
    func order() throws {
        try withExperts(experts) { store in
            let found = try store.nearest(to: "1/0", in: "main")
            #expect(found.others == 7 && found.compared == 7)
            #expect(found.experts.map(\.ordinal) == [7, 6, 1, 2, 3])
            let cosines = [1, 1, 0.5.squareRoot(), 0, -1]
            #expect(zip(found.experts, cosines).allSatisfy { abs($0.cosine - $1) < 1e-15 })
            #expect(found.experts.map(\.relativeL2) == [0, 1, 1, 2.squareRoot(), 2])
            #expect(try found.experts[1].id == store.expert("main", "1/6").id)
            let two = try store.nearest(to: "1/base/0", in: "main", limit: 2)
            #expect(two.experts.map(\.ordinal) == [7, 6] && two.compared == 7)
            // What is zero has no cosine with anything.
            #expect(try store.nearest(to: "1/4", in: "main").experts.isEmpty)
            #expect(throws: CambiumError.self) { try store.nearest(to: "1/5", in: "main") }
            #expect(throws: CambiumError.self) { try store.nearest(to: "1/9", in: "main") }
            #expect(throws: CambiumError.self) { try store.nearest(to: "1", in: "main") }
        }
    }

    @Test("no more is read than is allowed, of experts that are spread over the pool")
    func bounded() throws {
        let many = (0..<100).map { [Float(1), Float($0), 0, 0] }
        try withExperts(many) { store in
            let few = try store.nearest(to: "1/0", in: "main", limit: 99, mostBytes: 10 * 16 + 15)
            #expect(few.others == 99 && few.compared == 10)
            #expect(few.experts.map(\.ordinal) == [1, 10, 20, 30, 40, 50, 60, 70, 80, 90])
            let none = try store.nearest(to: "1/0", in: "main", mostBytes: 0)
            #expect(none.compared == 0 && none.experts.isEmpty)
            let all = try store.nearest(to: "1/0", in: "main", limit: 99, mostBytes: 99 * 16)
            #expect(all.compared == 99)
            #expect(all.experts.map(\.ordinal) == Array(1...99))
        }
    }

    @Test("the same is told of a store that was compressed")
    func compressed() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            func told() throws -> [Double] {
                try Store(path).nearest(to: "1/3", in: "main", limit: 20).experts.flatMap {
                    [Double($0.ordinal), $0.cosine, $0.relativeL2 ?? -1]
                }
            }
            try SnapshotStore.create(at: path)
            try SnapshotStore.open(path).commit(
                model((0..<300).map { [1, Float($0 % 17), Float($0 % 5), 1] }), message: "base")
            let before = try told()
            #expect(before.count == 60)
            #expect(try Store.repack(path, compress: true).bytesAfter > 0)
            #expect(try told() == before)
        }
    }

    @Test("experts that are no floats are refused by what they are")
    func codes() throws {
        try withStore { snapshots in
            var model = SyntheticModel.sample(experts: 4)
            let place = SyntheticModel.Place(1)
            model.pools[place]?.parts = [TensorShape(.u8, [64]), TensorShape(.u8, [64])]
            model.layout = nil
            try snapshots.commit(model, message: "codes")
            let store = Store(snapshots, snapshots.directory)
            let error = #expect(throws: CambiumError.self) {
                try store.nearest(to: "1/0", in: "main")
            }
            #expect(error?.code == .unsupported && error?.message.contains("U8") == true)
        }
    }
}
