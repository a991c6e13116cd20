internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Routing

/// What a new adapter is before its first step.
package enum AdapterStart: Sendable, Hashable {
    /// Nothing: it changes nothing yet, and follows from base, texts, settings and seed alone.
    case nothing
    /// What the adapter is that the gate finds likeliest for the round's texts, where it is of the same form;
    /// nothing where that is the base.
    case nearest
    /// What this adapter is.
    case adapter(String)

    /// As a commit tells it, and a stopped round is known by.
    package var words: String {
        switch self {
        case .nothing: "nothing"
        case .nearest: "nearest"
        case .adapter(let name): "adapter \(name)"
        }
    }
}

extension RoundStart {
    /// How much of each text tells which adapter is nearest.
    private static let judged = 1 << 16

    /// The adapter as which a new one begins; nil for none.
    ///
    /// - Throws: `usage` for one that is not there or of another form, and for an adapter that is trained further.
    func adapter(
        _ kind: Adapter.Kind, _ experts: AdapterExperts?, _ stored: StoredAdapters, isNew: Bool
    ) throws -> String? {
        func hasForm(_ name: String) -> Bool {
            stored.names.firstIndex(of: name).map {
                let known = stored.descriptions[$0]
                return known.kind == kind.described && known.experts == experts
            } ?? false
        }
        guard isNew || request.adapterStart == .nothing else {
            throw CambiumError(
                .usage,
                "the adapter is there, and is trained further from what it is; leave --start-from out, or give "
                    + "another name with --adapter")
        }
        switch request.adapterStart {
        case .nothing: return nil
        case .nearest:
            guard let nearest = try nearest(), hasForm(nearest) else { return nil }
            return nearest
        case .adapter(let name):
            guard stored.names.contains(name) else {
                let known = stored.names.joined(separator: ", ")
                throw CambiumError(
                    .usage,
                    "there is no adapter '\(name)' to start from; "
                        + (known.isEmpty ? "the branch has none" : "the branch has \(known)"))
            }
            guard hasForm(name) else {
                throw CambiumError(
                    .usage,
                    "adapter '\(name)' is of another kind, or has other experts, than the new one; give the same "
                        + "--kind and --new-experts")
            }
            return name
        }
    }

    /// The adapter whose counts give the texts the fewest bits; nil when those of the base do.
    private func nearest() throws -> String? {
        guard let gate = try EvidenceGate(evidence.counts) else { return nil }
        let texts = request.texts.flatMap { $0.bytes.prefix(Self.judged) }
        guard !texts.isEmpty else { return nil }
        return gate.adapters[gate.solved.best(of: texts)]
    }
}
