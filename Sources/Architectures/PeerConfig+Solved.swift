internal import Elements

extension PeerConfig {
    /// Layers whose routers are solved from evidence: linear read-outs of the state in front of the neurons, with
    /// biases, in the place of product keys or of a tree's keys alone.
    package struct Solved: Sendable, Hashable {
        /// How they are solved.
        package enum Form: String, Sendable, CaseIterable {
            case ridge, discriminant
        }

        /// Of the heads of product keys; more have no evidence.
        package static let mostHeads = 127

        /// Ascending, among the layers with neurons.
        package let layers: [Int]
        package let form: Form
        /// Pairs of read-outs, of the high and of the low digit; of trees 1.
        package let heads: Int

        package init(layers: [Int], form: Form, heads: Int) {
            self.layers = layers
            self.form = form
            self.heads = heads
        }
    }

    /// Whether the layer's router is solved from evidence.
    package func isSolved(_ layer: Int) -> Bool { solved?.layers.contains(layer) ?? false }

    /// The same sizes, with the router of one more layer solved from evidence.
    ///
    /// - Throws: `.usage` where the others are solved in another way.
    package func solving(_ layer: Int, form: Solved.Form, heads: Int) throws -> PeerConfig {
        var config = self
        var layers = solved?.layers.filter { $0 != layer } ?? []
        if let solved, !layers.isEmpty, solved.form != form || solved.heads != heads {
            throw CambiumError(
                .usage,
                "the routers of layers \(layers) are solved by \(solved.form.rawValue) with \(solved.heads) heads; "
                    + "those of one model are solved alike, so solve that of layer \(layer) by the same form, from "
                    + "evidence of as many heads")
        }
        layers.append(layer)
        config.solved = Solved(layers: layers.sorted(), form: form, heads: heads)
        return config
    }

    /// Reads and checks the field `solved` of a config whose other fields are known.
    func readSolved(_ fields: ConfigFields) throws -> Solved {
        let layers = try fields.list("layers")
        try Self.check("solved.layers", layers, in: 0...layerCount - 1)
        guard !layers.isEmpty else {
            throw CambiumError(
                .badConfig,
                "config solved.layers is empty; leave \"solved\" out for a model without solved routers"
            )
        }
        if let other = layers.first(where: { !peerLayers.contains($0) }) {
            throw CambiumError(
                .badConfig,
                "config solved.layers has \(other), and peer_layers is \(peerLayers); only routers of neurons are solved"
            )
        }
        let name = try fields.text("form") ?? ""
        guard let form = Solved.Form(rawValue: name) else {
            throw CambiumError(
                .badConfig,
                "config solved.form is \(name.debugDescription); it must be ridge or discriminant")
        }
        let most = peer.map { min($0.heads, Solved.mostHeads) } ?? 1
        return Solved(
            layers: layers, form: form,
            heads: try fields.whole("heads", in: 1...most))
    }
}

extension PeerConfig.Solved {
    /// The value of the field `solved`.
    package var json: String {
        "{\"form\": \"\(form.rawValue)\", \"heads\": \(heads), \"layers\": ["
            + layers.map(String.init).joined(separator: ", ") + "]}"
    }
}
