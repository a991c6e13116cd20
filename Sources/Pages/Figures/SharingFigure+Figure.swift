internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ sharing: SharingFigure) {
        let pairs = sharing.shared?.pairs ?? []
        let models = sharing.shared?.models ?? []
        let saved = (sharing.shared?.separateBytes ?? 0) - (sharing.shared?.together.bytes ?? 0)
        self.init(
            .sharing,
            caption:
                "Of the model in a row, how much the model in the column has as well, byte for byte and stored once"
                + (saved > 0
                    ? ": together \(Quantity.bytes(sharing.shared?.together.bytes ?? 0)) instead of "
                        + "\(Quantity.bytes(sharing.shared?.separateBytes ?? 0))." : ".")
                + " Each different tensor and expert is counted once, also within a model: a size here can be below that "
                + "of the model as a checkpoint."
                + (sharing.leftOut.isEmpty
                    ? ""
                    : " \(Quantity.count(sharing.leftOut.count, "older branch", "older branches")) left out."),
            table: Table(
                ["first", "second", "experts", "tensors", "bytes"],
                pairs.map {
                    [
                        .words($0.left), .words($0.right), .count($0.shared.experts),
                        .count($0.shared.tensors), .bytes($0.shared.bytes),
                    ]
                }
                    + models.map {
                        [
                            .words($0.revision), .words($0.revision), .count($0.contents.experts),
                            .count($0.contents.tensors), .bytes($0.contents.bytes),
                        ]
                    }),
            missing: sharing.shared == nil
                ? Missing(
                    words: "There are no two branches to compare.", command: "cambium branch NAME")
                : nil, payload: sharing
        ) { width in
            let sizes = Dictionary(
                pairs.flatMap {
                    [
                        ("\($0.left)\n\($0.right)", $0.shared),
                        ("\($0.right)\n\($0.left)", $0.shared),
                    ]
                } + models.map { ("\($0.revision)\n\($0.revision)", $0.contents) },
                uniquingKeysWith: { first, _ in first })
            let rows = models.map { model in
                HeatMap.Row(
                    model.revision,
                    models.map { other in
                        guard let amount = sizes["\(model.revision)\n\(other.revision)"] else {
                            return HeatMap.Cell(nil)
                        }
                        let share = Double(amount.bytes) / Double(max(1, model.contents.bytes))
                        let whole = Quantity.share(amount.bytes, of: model.contents.bytes)
                        return HeatMap.Cell(
                            share,
                            words: model.revision == other.revision
                                ? Quantity.bytes(amount.bytes) : whole,
                            title: "\(other.revision) has \(whole) of \(model.revision)\n"
                                + "\(Quantity.bytes(amount.bytes)): \(Quantity.count(amount.experts, "expert")), "
                                + Quantity.count(amount.tensors, "tensor"))
                    })
            }
            let label = "What \(listed(models.map(\.revision))) share"
            let map = HeatMap(columns: models.map(\.revision), rows: rows).drawing(
                width: width, cell: (84, 34), label: label)
            return [
                Drawing.stack(
                    [
                        map,
                        HeatMap.scale(
                            width: min(width, 430), from: "0 %", to: "100 %",
                            note: "of the row's bytes"),
                    ], gap: 8, label: label)
            ]
        }
    }
}
