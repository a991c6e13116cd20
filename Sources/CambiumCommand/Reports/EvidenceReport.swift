internal import Cambium
internal import Reporting

/// What adding or dropping evidence did.
struct EvidenceReport: Report {
    let result: EvidenceResult
    let verb: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        if result.unchanged {
            return ["nothing changed: \(result.branch) is at \(style.id(result.commit.short))"]
        }
        let records = result.evidence.map { "\(verb) \($0.line(style))" }
        return records + weightLines + [
            "\(result.branch) is at \(style.id(result.commit.short)); "
                + (result.gate.map { "its gate is \(style.id($0.short))" }
                    ?? "it has no gate, for there are no counts")
        ]
    }

    func quietLines() -> [String] { result.evidence.map(\.id) }

    /// That dropping evidence changes no weights, which is easily taken for forgetting.
    private var weightLines: [String] {
        guard let adapters = result.adaptersWithWeights else { return [] }
        let ways = adapters.map { "`cambium forget \($0)`" }.joined(separator: " and ")
        return [
            "weights that were trained on \(result.evidence.count == 1 ? "this text" : "these texts") stay"
                + (adapters.isEmpty
                    ? "" : "; \(ways) \(adapters.count == 1 ? "takes" : "take") them out")
        ]
    }
}

/// What recording squared gradients did.
struct SquaredGradientsReport: Report {
    let result: SquaredGradientsResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        if result.unchanged {
            return ["nothing changed: \(result.branch) is at \(style.id(result.commit.short))"]
        }
        return [
            "recorded squared gradients on \(Quantity.count(result.tokens, "byte")): of "
                + "\(Quantity.count(result.tensors, "tensor")) and "
                + "\(Quantity.count(result.experts, "expert")), of which the texts picked "
                + Quantity.count(result.picked),
            "\(result.branch) is at \(style.id(result.commit.short))",
        ]
    }

    func quietLines() -> [String] { [result.commit] }
}

/// The evidence of a revision.
struct EvidenceListReport: Report {
    let evidence: [EvidenceInfo]

    func lines(_ style: Style) -> [String] {
        if evidence.isEmpty { return ["no evidence"] }
        var table = TextTable([.left, .left, .left, .right, .left, .left])
        table.add(["id", "adapter", "kind", "bytes", "counted", "label"])
        for record in evidence {
            table.add([
                style.id(record.id.short), record.adapter, record.kind,
                Quantity.count(record.bytes), record.subject, record.label,
            ])
        }
        return table.lines()
    }

    func quietLines() -> [String] { evidence.map(\.id) }
}

/// One record.
struct EvidenceDetailReport: Report {
    let evidence: EvidenceInfo

    func encode(to encoder: any Encoder) throws { try evidence.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        [
            "id        \(style.id(evidence.id))",
            "adapter   \(evidence.adapter)",
            evidence.label.isEmpty ? nil : "label     \(evidence.label)",
            "kind      \(evidence.kind) of \(evidence.subject)",
            "text      \(Quantity.count(evidence.bytes, "byte")), \(evidence.data)",
            "record    \(Quantity.bytes(evidence.recordBytes))",
        ].compactMap { $0 }
            + (evidence.trunk.map {
                ["\(evidence.layers == nil ? "trunk    " : "model    ") \($0)"]
            } ?? [])
            + (evidence.quantiser.map { ["quantiser \($0)"] } ?? [])
    }

    func quietLines() -> [String] { [evidence.id] }
}

/// What a gate says.
struct GateReport: Report {
    struct Row: Encodable {
        let text: String
        let shares: [AdapterGate.Share]
    }

    let commit: String
    let gate: String
    let adapters: [String]
    let texts: [Row]
    /// Of a gate over hidden states.
    var layer: Int?
    var form: String?
    var lambda: Double?

    func lines(_ style: Style) -> [String] {
        let solved =
            if let layer, let form, let lambda {
                [", from layer \(layer) by \(form), lambda \(Quantity.significant(lambda))"]
            } else { [String]() }
        let head = [
            "gate \(style.id(gate.short)) of \(style.id(commit.short)): "
                + adapters.joined(separator: ", ") + solved.joined()
        ]
        return head
            + texts.map { row in
                let shares = row.shares.prefix(3).map { share in
                    "\(share.adapter) \((share.weight * 1000).rounded() / 10) %"
                }
                return "\(row.text): " + shares.joined(separator: ", ")
            }
    }

    func quietLines() -> [String] {
        texts.isEmpty ? [gate] : texts.compactMap { $0.shares.first?.adapter }
    }
}

extension EvidenceInfo {
    /// The record in a line.
    fileprivate func line(_ style: Style) -> String {
        "\(style.id(id.short))  \(adapter)  \(Quantity.count(bytes, "byte")) of text, "
            + "\(kind) of \(subject)" + (label.isEmpty ? "" : "  \(label)")
    }

    /// What was counted.
    fileprivate var subject: String {
        if kind == "activations", let distinct {
            return Quantity.count(distinct, "expert")
        }
        if let order, let distinct {
            return "\(Quantity.count(distinct)) different \(order)-grams"
        }
        if kind == "states", let layers, let tokens {
            let places =
                layers.isEmpty ? "hashed experts" : Quantity.count(layers.count, "layer")
            return "\(Quantity.count(tokens, "token")) in \(places)"
        }
        if let windows { return Quantity.count(windows, "window") }
        if let layers, let tokens {
            return "\(Quantity.count(tokens, "token")) in "
                + "\(Quantity.count(layers.count, "layer")) of \(experts ?? 0) experts"
        }
        let states = "states in front of layer \(layer ?? 0)"
        return experts.map { "\(states), picks of \(Quantity.count($0)) experts" } ?? states
    }
}
