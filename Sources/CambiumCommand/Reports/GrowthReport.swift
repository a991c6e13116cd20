internal import Cambium
internal import Reporting

/// What adding an expert did.
struct GrowthReport: Report {
    let result: GrowthResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let commit = result.commit
        var table = TextTable([.left, .right, .right, .right])
        table.add(["", "new domain picks it", "old routes unchanged", "lambda"])
        for layer in result.layers {
            table.add([
                "layer \(layer.layer)", Self.percent(layer.picked), Self.percent(layer.unchanged),
                Quantity.significant(layer.lambda),
            ])
        }
        let all = result.alternative == nil ? "all" : "all, with the gate"
        table.add([all, Self.percent(result.picked), Self.percent(result.unchanged)])
        let bits = [("new domain", result.newBits), ("old text", result.oldBits)].map {
            "\($0): \(Quantity.fixed($1[0], 4)) bits per token before, \(Quantity.fixed($1[1], 4)) after"
        }
        return [
            "\(style.name(commit.branch)) \(style.id(commit.id.short))  expert \(result.expert) in "
                + Quantity.count(result.layers.count, "layer")
                + (result.alternative.map { " of alternative \($0)" } ?? "")
        ] + table.lines(indent: 2) + bits.map { "  " + $0 }
            + (result.handicap.map {
                [
                    "  the gate takes a text for new when its counts say so by more than "
                        + Quantity.count($0, "bit")
                ]
            } ?? []) + [
                "  measured on \(Quantity.count(result.measuredTokens[0])) of "
                    + "\(Quantity.count(result.newTokens, "new token")) and "
                    + "\(Quantity.count(result.measuredTokens[1])) of "
                    + "\(Quantity.count(result.oldTokens, "old token")), which nothing else used"
            ] + commit.notes.map { "note: \($0)" }
    }

    func quietLines() -> [String] { [result.commit.id] }

    /// Two decimals, since what matters is close to 100 %.
    private static func percent(_ share: Double) -> String {
        "\(Quantity.fixed(100 * share, 2)) %"
    }
}
