import Elements
import Models
import Testing

@Suite("loading a model")
struct LoadTests {
    private func loadError(_ tamper: (inout TinyModel) -> Void) -> CambiumError? {
        var tiny = TinyModel()
        tamper(&tiny)
        return #expect(throws: CambiumError.self) { _ = try tiny.model() }
    }

    @Test("every tensor is asked for by name", arguments: TinyModel().tensors.keys.sorted())
    func missing(name: String) {
        let error = loadError { $0.tensors[name] = nil }
        #expect(error?.code == .missingTensor && error?.message.contains(name) == true)
    }

    @Test("every tensor's shape is checked", arguments: TinyModel().tensors.keys.sorted())
    func wrongShape(name: String) {
        let error = loadError {
            guard let tensor = $0.tensors[name] else { return }
            var dimensions = tensor.shape.dimensions
            dimensions[0] += 1
            $0.tensors[name]?.shape = TensorShape(tensor.shape.type, dimensions)
        }
        #expect(error?.code == .badTensor && error?.message.contains(name) == true)
    }

    @Test(
        "a dtype that is not served is refused by its name",
        arguments: ["model.norm.weight", "lm_head.weight", "model.layers.0.peer.sub_keys"])
    func wrongType(name: String) {
        let error = loadError {
            guard let tensor = $0.tensors[name] else { return }
            $0.tensors[name]?.shape = TensorShape(.i32, tensor.shape.dimensions)
        }
        #expect(error?.code == .badTensor && error?.message.contains("I32") == true)
    }

    @Test("a tensor whose bytes are not its shape's is refused")
    func wrongBytes() {
        let error = loadError { $0.tensors["model.norm.weight"]?.values.removeLast() }
        #expect(error?.code == .badTensor)
    }

    @Test("a layer without its experts is refused")
    func missingExperts() {
        #expect(loadError { $0.experts[2] = nil }?.code == .missingTensor)
    }

    @Test("too few experts for the sub-keys are refused")
    func fewExperts() {
        let error = loadError { $0.experts[2]?.values.removeLast(32) }
        #expect(error?.code == .badTensor && error?.message.contains("24") == true)
    }

    @Test("experts of another width are refused")
    func wideExperts() {
        let error = loadError {
            $0.experts[2] = (TensorShape(.f32, [2, 20]), [Float](repeating: 0, count: 25 * 40))
        }
        #expect(error?.code == .badTensor && error?.message.contains("[2, 16]") == true)
    }

    @Test("a model knows how large its experts are")
    func expertBytes() throws {
        let model = try TinyModel(type: .bf16).model()
        #expect(Session(model).usage.bytesStored == 2 * 25 * 64)
    }
}
