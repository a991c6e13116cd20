package import Architectures
internal import Elements
internal import Models
package import Objects
package import Routing
package import Snapshots
package import Tensors

/// What a tree's Gram sums of a layer's picks are solved to: read-outs that pick among the layer's experts, of the digits
/// of their numbers, or of the levels of a tree.
package struct RouterSolution: Sendable {
    /// The read-outs as a model keeps them.
    package enum ReadOuts: Sendable, Equatable {
        case digits(DigitReadOuts)
        case tree(TreeReadOuts)
    }

    /// Of its canonical form: the same set of evidence, the same id.
    package let id: ObjectID
    package let layer: Int
    package let form: ReadOut.Form
    /// λ of the high and of the low digit of each head, or of each level.
    package let lambdas: [Double]
    /// How much of the held-out targets of each form and λ tell; empty when that is not known.
    package let explained: [Double]
    /// What it was solved from, ascending.
    package let evidence: [ObjectID]
    package let trunk: ObjectID
    package let quantiser: ObjectID
    package let readOuts: ReadOuts
    /// Names the texts of the evidence.
    let texts: Set<[UInt8]>

    fileprivate init(
        _ records: [(id: ObjectID, record: GramContribution)], _ form: ReadOut.Form,
        branching: [Int]?, _ team: ThreadTeam
    ) throws {
        let (source, solved) = try counted(.corrupt) {
            let united = try UnitedGramSums(selection: records.map(\.record))
            let digits = united.source.digits.indices
            return (
                united.source,
                try branching.map { try united.readOuts(form, branching: $0, team: team) }
                    ?? digits.map { try united.readOut(form, digit: $0, team: team) }
            )
        }
        layer = Int(source.layer)
        self.form = form
        lambdas = solved.map(\.lambda)
        let explained = solved.compactMap(\.explained)
        self.explained = explained.count == solved.count ? explained : []
        evidence = records.map(\.id)
        trunk = ObjectID(source.trunk.raw)
        quantiser = try source.quantiser.id()
        texts = Set(records.map(\.record.data))
        let (all, scales) = (solved.map(\.readOut), source.quantiser.scales)
        readOuts =
            if let branching {
                .tree(
                    TreeReadOuts(
                        all, branching: branching, scales: scales, sharpness: form.sharpness))
            } else {
                .digits(
                    DigitReadOuts(
                        all, counts: (Int(source.digits[0]), Int(source.digits[1])),
                        scales: scales, sharpness: form.sharpness))
            }
        let bytes = all.flatMap {
            $0.encoded(names: $0.classes.map(String.init), form.rawValue)
        }
        id = try ObjectID(ofFile: bytes)
    }

    /// Heads that pick.
    package var heads: Int {
        if case .digits(let readOuts) = readOuts { readOuts.heads } else { 1 }
    }

    /// Experts that it picks among.
    package var expertCount: Int {
        switch readOuts {
        case .digits(let readOuts): readOuts.counts.0 * readOuts.counts.1
        case .tree(let readOuts): readOuts.branching.reduce(1, *)
        }
    }

    /// Values of the low digit, or children of a node of the last level.
    var lowCount: Int {
        switch readOuts {
        case .digits(let readOuts): readOuts.counts.1
        case .tree(let readOuts): readOuts.branching.last ?? 1
        }
    }

    /// The tensors that a model keeps it in, by their names in a checkpoint.
    package var tensors: [(name: String, shape: [Int], values: [Float])] {
        let prefix = "model.layers.\(layer)."
        switch readOuts {
        case .digits(let readOuts):
            return [
                (
                    prefix + PeerNames.digits, [readOuts.biases.count, readOuts.width],
                    readOuts.weights
                ),
                (prefix + PeerNames.digitBiases, [readOuts.biases.count], readOuts.biases),
            ]
        case .tree(let readOuts):
            return readOuts.branching.indices.flatMap { level in
                let name = "\(prefix)\(PeerNames.tree)\(level)"
                let count = readOuts.biases[level].count
                return [
                    (name, [count, readOuts.width], readOuts.keys[level]),
                    (name + PeerNames.bias, [count], readOuts.biases[level]),
                ]
            }
        }
    }

    /// Whether a layer's router is this one, byte for byte.
    package func isRouter(of pool: ExpertPool) throws -> Bool {
        let own = tensors
        guard pool.router.count == own.count else { return false }
        return try own.allSatisfy { tensor in
            let shape = TensorShape(.f32, tensor.shape)
            guard let entry = pool.router[tensor.name], entry.shape == shape else { return false }
            let header = try ObjectHeader(.tensor, [shape])
            return header.id(of: tensor.values.littleEndianBytes.raw) == entry.id
        }
    }

    /// Puts it in the place of the layer's router.
    package func put(into draft: inout CommitDraft) throws {
        let number = UInt32(layer)
        let before = draft.tree.layers[number]?.pools[ExpertPool.base]?.router ?? [:]
        var router: [String: StoredTensor] = [:]
        for tensor in tensors {
            router[tensor.name] = try draft.putTensor(
                TensorShape(.f32, tensor.shape), tensor.values.littleEndianBytes.raw,
                after: before[tensor.name])
        }
        draft.tree.layers[number]?.pools[ExpertPool.base]?.router = router
    }
}

extension SnapshotStore {
    /// The records of evidence of a tree, by ascending id.
    ///
    /// - Throws: `corrupt` for a record that is not one.
    package func evidence(of tree: Tree) throws -> [NamedContribution] {
        try EvidenceName.records(tree).map { id in
            let bytes = try data(of: id).1
            return (id, try counted(.corrupt) { try EvidenceRecord(decoding: bytes) })
        }
    }

    /// What a tree's Gram sums of a layer's picks are solved to.
    ///
    /// - Parameter place: What messages call the tree.
    /// - Throws: `notFound` without such evidence; `usage` for evidence of other trunks, experts or quantisers.
    package func routerSolution(
        of tree: Tree, layer: Int, form: ReadOut.Form, place: String, team: ThreadTeam
    ) throws -> RouterSolution {
        let config = try peerConfig(of: tree, place)
        guard config.expertLayers.contains(layer) else {
            throw CambiumError(
                .notFound,
                "layer \(layer) has no experts; those that do: "
                    + config.expertLayers.map(String.init).joined(separator: ", "))
        }
        let records = try checkPicks(of: tree, layer, place)
        guard let first = records.first else {
            throw CambiumError(
                .notFound,
                "\(place) has no Gram sums of picks of layer \(layer); add some: cambium "
                    + "evidence add --kind gram --target experts --layer \(layer) --adapter base "
                    + "--text FILE")
        }
        for (id, record) in records {
            try record.checkQuantiser(first.record.source, id, "evidence \(first.id.short)")
            try record.checkVectors(first.record.vectorsPerByte, id, "evidence \(first.id.short)")
            guard Array(record.source.digits.prefix(2)) == config.digits,
                record.source.digits == first.record.source.digits
            else {
                throw CambiumError(
                    .usage,
                    "evidence \(id.short) of layer \(layer) has picks of \(record.source.words), which is not what "
                        + "the other evidence and the layer have; drop it (cambium evidence drop \(id.short)) and "
                        + "add its text again")
            }
        }
        return try RouterSolution(records, form, branching: config.tree?.branching, team)
    }

    /// The records of a layer's picks in a tree.
    ///
    /// - Throws: `usage` for those that are of another trunk than the tree's.
    @discardableResult
    package func checkPicks(
        of tree: Tree, _ layer: Int, _ place: String
    ) throws -> [(id: ObjectID, record: GramContribution)] {
        let records = try evidence(of: tree).gramSums(layer: layer, ofExperts: true)
        guard !records.isEmpty else { return [] }
        let trunk = try TrunkIdentity.id(of: tree, peerConfig(of: tree, place), layer: layer)
        for (id, record) in records { try record.checkTrunk(trunk.bytes, id, of: place) }
        return records
    }

    /// The config of a tree of the byte-level architecture.
    package func peerConfig(of tree: Tree, _ place: String) throws -> PeerConfig {
        guard tree.architecture == Architecture.peerLM.name, let file = tree.files["config.json"]
        else {
            throw CambiumError(.unsupported, "\(place) is no peer-lm model with a config.json")
        }
        return try PeerConfig(json: data(of: file).1)
    }
}
