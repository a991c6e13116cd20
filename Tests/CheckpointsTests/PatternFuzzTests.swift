import Checkpoints
import Elements
import Testing

@Suite("Random names and shapes")
struct PatternFuzzTests {
    private static let words = [
        "experts", "expert_0", "expert_1", "expert1", "layers", "0", "1", "2", "7", "mlp", "gate",
        "router", "weight", "bias", "w1", "gate_up_proj", "down_proj", "switch_mlp",
        "shared_experts", "local_experts", "weight0", "weight1", "", "mtp", "encoder", "007", "-1",
        "{e}", "é", "block", "h", "gate_up_projs", "999999999", "4294967296",
        "18446744073709551616",
    ]
    private static let shapes = [
        [2], [2, 4], [4], [4, 2], [2, 4, 6], [4, 4, 2], [4, 6, 2], [0, 3], [], [1], [4, 1, 1],
        [2, 0], [1 << 62, 1 << 62], [1 << 62],
    ]
    private static let numbers: [[Int]] = [
        [0, 1], [0, 1, 2, 3], [1, 3], [5], [0, 1, 2, 900], [0, 999_999_998],
    ]

    /// Some families of experts and some strays.
    private func tensors(_ random: inout SeededGenerator) -> [TensorEntry] {
        func path(_ count: ClosedRange<Int>) -> String {
            (0..<Int.random(in: count, using: &random)).map { _ in
                Self.words.randomElement(using: &random) ?? ""
            }.joined(separator: ".")
        }
        func shape() -> TensorShape {
            TensorShape(
                [.bf16, .f32, .u8, .f4].randomElement(using: &random) ?? .u8,
                Self.shapes.randomElement(using: &random) ?? [])
        }
        var all: [String: TensorShape] = [:]
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let (head, tail, shape) = (path(0...4), path(1...3), shape())
            let container = ["experts.", "experts.x.", "experts.expert_", ""]
            let place = container.randomElement(using: &random) ?? ""
            for number in Self.numbers.randomElement(using: &random) ?? [] {
                all["\(head).\(place)\(number).\(tail)"] = shape
            }
        }
        for _ in 0..<Int.random(in: 1...12, using: &random) { all[path(1...6)] = shape() }
        return all.map { TensorEntry($0.key, $0.value) }.sorted { $0.name < $1.name }
    }

    @Test("are never refused, and each tensor is in one place", arguments: 1...8)
    func places(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var pools = 0
        for _ in 0..<250 {
            let tensors = tensors(&random)
            let type = ["olmoe", "gpt_oss", "mystery"].randomElement(using: &random) ?? ""
            let layout = try CheckpointLayout(
                config: Array("{\"model_type\":\"\(type)\"}".utf8), tensors: tensors)
            let names =
                layout.trunk + layout.pools.flatMap(\.routerTensors)
                + TensorAssembly.all(pools: layout.pools, others: []).map(\.name)
            #expect(names.sorted() == tensors.map(\.name))
            #expect(Set(layout.pools.map(\.place)).count == layout.pools.count)
            for pool in layout.pools {
                #expect(pool.expertByteCount > 0 && pool.ordinals.last == pool.expertCount - 1)
            }
            pools += layout.pools.count
        }
        #expect(pools > 50)
    }
}
