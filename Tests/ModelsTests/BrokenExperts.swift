import Elements
import Models

/// Experts whose bytes are not what their table says.
final class BrokenExperts: ExpertTable {
    enum Failure: Sendable {
        case unreadable
        case short
    }

    let count = 25
    let shape = TensorShape(.f32, [2, 16])
    private let failure: Failure

    init(_ failure: Failure) { self.failure = failure }

    func visit(
        _ ordinals: Span<UInt32>,
        _ body: (_ index: Int, _ expert: RawSpan) throws(ModelError) -> Void
    ) throws(ModelError) {
        guard failure == .short else {
            throw ModelError(.source, "expert \(ordinals[0]) cannot be read")
        }
        let bytes = [UInt8](repeating: 0, count: 64)
        for index in ordinals.indices { try body(index, bytes.raw) }
    }
}

/// A good trunk over broken experts.
struct BrokenSource: WeightSource {
    let failure: BrokenExperts.Failure
    private let tiny = TinyModel()

    init(failure: BrokenExperts.Failure) { self.failure = failure }

    func tensor(_ name: String) throws(ModelError) -> Weights { try tiny.tensor(name) }

    func experts(layer: Int) throws(ModelError) -> any ExpertTable { BrokenExperts(failure) }
}
