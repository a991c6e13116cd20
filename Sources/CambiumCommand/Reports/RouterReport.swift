internal import Cambium
internal import Reporting

/// A router that was solved from evidence, and how it does on texts.
struct RouterReport: Report {
    struct Row: Encodable {
        let text: String
        let agreement: RouterAgreement
    }

    let router: ExpertRouter
    let texts: [Row]
    let saved: String?
    let committed: CommitResult?

    private enum Key: String, CodingKey {
        case commit, router, layer, form, lambdas, explained, experts, evidence, trunk, quantiser
        case texts, saved, committed
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(router.commit, forKey: .commit)
        try container.encode(router.id, forKey: .router)
        try container.encode(router.layer, forKey: .layer)
        try container.encode(router.form, forKey: .form)
        try container.encode(router.lambdas, forKey: .lambdas)
        try container.encode(router.explained, forKey: .explained)
        try container.encode(router.experts, forKey: .experts)
        try container.encode(router.evidence, forKey: .evidence)
        try container.encode(router.trunk, forKey: .trunk)
        try container.encode(router.quantiser, forKey: .quantiser)
        try container.encode(texts, forKey: .texts)
        try container.encodeIfPresent(saved, forKey: .saved)
        try container.encodeIfPresent(committed, forKey: .committed)
    }

    func lines(_ style: Style) -> [String] {
        var lines = [
            "router \(style.id(router.id.short)) of \(style.id(router.commit.short)): "
                + "\(Quantity.count(router.experts, "expert")) of layer \(router.layer), by "
                + "\(router.form.rawValue), lambda "
                + range(router.lambdas, Quantity.significant),
            "solved from \(Quantity.count(router.evidence.count, "record")): "
                + router.evidence.map { style.id($0.short) }.joined(separator: " "),
        ]
        if !router.explained.isEmpty {
            lines.append(
                "explains " + range(router.explained, percent)
                    + " of the digits of what the records hold out")
        }
        for row in texts {
            let found = row.agreement
            lines.append(
                "\(row.text): first pick right \(percent(found.first)), among its picks "
                    + "\(percent(found.picked)), digits \(percent(found.digits[0])) and "
                    + "\(percent(found.digits[1])); the most frequent expert is right "
                    + percent(found.mostFrequent)
                    + (found.isEvidence ? " (the router was solved from this text)" : ""))
        }
        if let saved { lines.append("saved to \(saved)") }
        if let committed {
            let head = "\(style.name(committed.branch)) \(style.id(committed.id.short))"
            lines.append(
                committed.unchanged
                    ? "nothing changed: it is the router of \(head) already" : "committed: \(head)")
            lines += committed.notes.map { "note: \($0)" }
        }
        return lines
    }

    func quietLines() -> [String] { [router.id] }

    var made: String? {
        committed.flatMap {
            $0.unchanged ? nil : "the commit was made: \($0.id) on \($0.branch)"
        }
    }

    /// Two values, or the least and the greatest of more.
    private func range(_ values: [Double], _ word: (Double) -> String) -> String {
        guard values.count > 2, let least = values.min(), let greatest = values.max() else {
            return values.map(word).joined(separator: " and ")
        }
        return "\(word(least)) to \(word(greatest))"
    }

    private func percent(_ share: Double) -> String { "\(Quantity.fixed(100 * share, 1)) %" }
}
