import Elements
import Models

/// Experts that cannot be read.
final class BrokenExperts: ExpertTable {
    let count = 25
    let parts = [TensorShape(.f32, [16]), TensorShape(.f32, [16])]

    func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        throw CambiumError(.io, "expert \(ordinals[0]) cannot be read")
    }
}

/// A good trunk over broken experts.
struct BrokenSource: WeightSource {
    private let tiny = TinyModel()

    func tensor(_ name: String) throws -> Weights { try tiny.tensor(name) }

    func experts(layer: Int) throws -> any ExpertTable { BrokenExperts() }
}
