internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// How a read-out is solved from Gram sums.
public enum ReadOutForm: String, Sendable, CaseIterable, Encodable {
    /// Least squares on one-hot targets.
    case ridge
    /// The linear discriminant of Gaussians with one covariance.
    case discriminant
}

/// A gate over the hidden states of one layer, solved in closed form from Gram sums.
public struct LayerGramGate {
    /// The commit that it was solved for.
    public let commit: String
    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public let id: String
    /// The layer in front of whose experts it reads.
    public let layer: Int
    /// How it was solved.
    public let form: ReadOutForm
    /// λ, as a share of the mean of the diagonal, chosen by what the records hold out.
    public let lambda: Double
    /// The classes, by ascending name.
    public let adapters: [String]
    private let readOut: ReadOut
    private let reader: GramReader

    fileprivate init(
        _ snapshot: MappedSnapshot, _ reader: GramReader, _ records: [GramContribution],
        _ form: ReadOutForm, _ team: ThreadTeam
    ) throws {
        let solved = try counted(.corrupt) {
            let united = try UnitedGramSums(adapters: records)
            return (
                united,
                try united.readOut(form == .ridge ? .ridge : .discriminant, team: team)
            )
        }
        commit = snapshot.id.hex
        layer = Int(solved.0.source.layer)
        self.form = form
        self.reader = reader
        adapters = solved.0.names
        readOut = solved.1.readOut
        lambda = solved.1.lambda
        id = try ObjectID(ofFile: readOut.encoded(names: adapters, form.rawValue)).hex
    }

    /// For how large a share of a text's bytes each adapter has the best score, the greatest first, equal
    /// ones by name.
    ///
    /// - Throws: `usage` without bytes.
    public func shares(of text: [UInt8]) throws -> [AdapterGate.Share] {
        guard !text.isEmpty else { throw CambiumError(.usage, "the text has no bytes") }
        var best = [Int](repeating: 0, count: adapters.count)
        try reader.windows(text) { _, features, _ in
            let width = reader.source.quantiser.width
            for start in stride(from: 0, to: features.count, by: width) {
                best[Int(readOut.best(features.span.extracting(start..<start + width)))] += 1
            }
        }
        return best.indices.sorted { (best[$0], $1) > (best[$1], $0) }.map {
            AdapterGate.Share(adapter: adapters[$0], weight: Double(best[$0]) / Double(text.count))
        }
    }
}

extension Store {
    /// The gate that a revision's Gram sums of a layer are solved to.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - layer: The number of a layer with experts.
    ///   - form: How it is solved.
    ///   - threads: Share the work; the bits do not depend on them.
    /// - Throws: `not-found` without such evidence; `usage` when it is over another trunk than the
    ///   revision's; `corrupt` for a record that is not one.
    public func gate(
        _ revision: String, layer: Int, form: ReadOutForm = .discriminant, threads: Int = 1
    ) throws -> LayerGramGate {
        guard (1...1_024).contains(threads) else {
            throw CambiumError(.usage, "\(threads) threads; give 1 to 1024")
        }
        let snapshot = try map(revision)
        let named = try snapshot.evidence()
        let team = ThreadTeam(count: threads)
        let model = try model(snapshot.id.hex, .checking).model.base
        let reader = try GramReader(snapshot, model, layer: layer, ofExperts: false, team)
        let wanted = named.filter { entry in
            guard case .gramSums(let record) = entry.record else { return false }
            return record.source.layer == UInt32(layer) && record.source.digits == [1]
        }
        guard !wanted.isEmpty else {
            throw CambiumError(
                .notFound,
                "\(snapshot.id.short) has no Gram sums of layer \(layer); add some: cambium evidence add "
                    + "--kind gram --layer \(layer) --adapter NAME --text FILE")
        }
        for entry in wanted {
            guard case .gramSums(let record) = entry.record, record.source != reader.source else {
                continue
            }
            try record.checkQuantiser(reader.source, entry.id, snapshot.id.short)
            throw CambiumError(
                .usage,
                "evidence \(entry.id.short) of layer \(layer) was made over another trunk than "
                    + "\(snapshot.id.short) has: what it counted are other features; drop it, or ask the "
                    + "commit that it was added to")
        }
        return try LayerGramGate(snapshot, reader, wanted.gramSums, form, team)
    }
}
