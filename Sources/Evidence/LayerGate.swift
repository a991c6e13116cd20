internal import Elements
package import Objects
package import Routing
package import Snapshots
internal import Tensors

/// A gate over the hidden states of one layer, solved in closed form from a snapshot's Gram sums.
package struct LayerGate {
    package let commit: ObjectID
    /// Of its canonical form: the same set of evidence, the same id.
    package let id: ObjectID
    package let layer: Int
    /// λ, as a share of the mean of the diagonal, chosen by what the records hold out.
    package let lambda: Double
    /// The classes, by ascending name.
    package let adapters: [String]
    private let readOut: ReadOut
    private let reader: GramReader

    fileprivate init(
        _ snapshot: MappedSnapshot, layer: Int, form: ReadOut.Form, _ team: ThreadTeam
    ) throws {
        reader = try GramReader(snapshot, layer: layer, ofExperts: false, team)
        let records = try snapshot.evidence().gramSums(layer: layer, ofExperts: false)
        guard !records.isEmpty else {
            throw CambiumError(
                .notFound,
                "\(snapshot.id.short) has no Gram sums of layer \(layer); add some: cambium evidence add "
                    + "--kind gram --layer \(layer) --adapter NAME --text FILE")
        }
        for (id, record) in records {
            try record.checkQuantiser(reader.source, id, snapshot.id.short)
            try record.checkTrunk(reader.source.trunk, id, of: snapshot.id.short)
        }
        let (names, solved) = try counted(.corrupt) {
            let united = try UnitedGramSums(adapters: records.map(\.record))
            return (united.names, try united.readOut(form, team: team))
        }
        commit = snapshot.id
        self.layer = layer
        adapters = names
        readOut = solved.readOut
        lambda = solved.lambda
        id = try ObjectID(ofFile: readOut.encoded(names: names, form.rawValue))
    }

    /// For how large a share of a text's bytes each adapter has the best score, the greatest first, equal
    /// ones by name.
    ///
    /// - Throws: `usage` without bytes.
    package func shares(of text: [UInt8]) throws -> [(adapter: String, weight: Double)] {
        guard !text.isEmpty else { throw CambiumError(.usage, "the text has no bytes") }
        var best = [Int](repeating: 0, count: adapters.count)
        try reader.windows(text) { _, features, _ in
            let width = reader.source.quantiser.width
            for start in stride(from: 0, to: features.count, by: width) {
                best[Int(readOut.best(features.span.extracting(start..<start + width)))] += 1
            }
        }
        return adapters.shares(best, of: text.count)
    }
}

extension SnapshotStore {
    /// The gate that a revision's Gram sums of a layer are solved to.
    package func gate(
        at revision: String, layer: Int, form: ReadOut.Form, threads: Int
    ) throws -> LayerGate {
        try ThreadTeam.check(threads)
        return try LayerGate(
            map(at: revision), layer: layer, form: form, ThreadTeam(count: threads))
    }
}
