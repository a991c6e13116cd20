internal import Evidence
internal import Objects
internal import Routing

/// How a read-out is solved from Gram sums.
public enum ReadOutForm: String, Sendable, CaseIterable, Encodable {
    /// Least squares on one-hot targets.
    case ridge
    /// The linear discriminant of Gaussians with one covariance.
    case discriminant

    var form: ReadOut.Form { self == .ridge ? .ridge : .discriminant }
}

/// A gate over the hidden states of one layer, solved in closed form from Gram sums.
public struct LayerGramGate {
    let gate: LayerGate
    /// How it was solved.
    public let form: ReadOutForm

    /// The commit that it was solved for.
    public var commit: String { gate.commit.hex }
    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public var id: String { gate.id.hex }
    /// The layer in front of whose experts it reads.
    public var layer: Int { gate.layer }
    /// λ, as a share of the mean of the diagonal, chosen by what the records hold out.
    public var lambda: Double { gate.lambda }
    /// The classes, by ascending name.
    public var adapters: [String] { gate.adapters }

    /// For how large a share of a text's bytes each adapter has the best score, the greatest first, equal
    /// ones by name.
    ///
    /// - Throws: `usage` without bytes.
    public func shares(of text: [UInt8]) throws -> [AdapterGate.Share] {
        try gate.shares(of: text).map { AdapterGate.Share(adapter: $0, weight: $1) }
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
        LayerGramGate(
            gate: try snapshots.gate(
                at: revision, layer: layer, form: form.form, threads: threads), form: form)
    }
}
