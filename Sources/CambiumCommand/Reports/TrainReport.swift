internal import Cambium
internal import Reporting

/// That a text is left alone, since the base knows it.
struct KnownTextReport: Report {
    let familiarity: Familiarity

    enum CodingKeys: String, CodingKey { case trained, familiarity }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(false, forKey: .trained)
        try container.encode(familiarity, forKey: .familiarity)
    }

    func lines(_ style: Style) -> [String] {
        [Self.sentence(familiarity), "the base knows such text; nothing was trained"]
    }

    func quietLines() -> [String] { [] }

    /// What the gate says of a text.
    static func sentence(_ found: Familiarity) -> String {
        "the text takes \(Quantity.fixed(found.bitsPerByte, 2)) bits per byte under the counts of "
            + "\(found.nearest), which expect \(Quantity.fixed(found.expected, 2)): "
            + (found.isNovel ? "novel" : "known")
    }
}

/// What a round of training did.
struct TrainReport: Report {
    let result: TrainResult
    /// How the loss went; shown on a terminal.
    var curve: [Double] = []

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left])
        let start = result.isNewAdapter ? result.startedFrom.map { ", begun as \($0)" } : nil
        let what = result.adapter.map {
            (result.isNewAdapter ? "new adapter " : "adapter ") + $0 + (start ?? "")
        }
        let edited = result.edited.map {
            "\(Quantity.count($0.experts.count, "expert")) of layer \($0.layer)"
        }
        table.add([
            "trained",
            what ?? (edited.isEmpty ? "the model's own weights" : edited.joined(separator: ", ")),
        ])
        table.add(["parameters", Quantity.count(result.parameters)])
        table.add([
            "steps",
            "\(Quantity.count(result.steps)), \(Quantity.count(result.tokens, "byte")) in "
                + "\(Quantity.fixed(result.seconds, 1)) s",
        ])
        table.add([
            "loss",
            "\(Quantity.fixed(result.loss, 3)) bits per byte, of the network alone while it trained",
        ])
        let drawn = TextPicture.course(
            curve, width: min(40, (style.columns ?? 0) - 20), isUnicode: style.isUnicode)
        if !drawn.isEmpty { table.add(["", style.name(drawn)]) }
        for (name, bits) in result.bitsPerByte.sorted(by: { $0.key < $1.key }) {
            table.add([
                name, "\(Quantity.fixed(bits, 3)) bits per byte, held out, as the model predicts",
            ])
        }
        table.add(["new", Quantity.bytes(result.newBytes)])
        return [style.name(result.branch) + " " + style.id(result.commit.short)]
            + table.lines(indent: 2)
    }

    func quietLines() -> [String] { [result.commit] }
}
