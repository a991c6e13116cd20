internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ storage: StorageFigure) {
        let (statistics, collection) = (storage.statistics, storage.collection)
        let freed =
            collection.deadBytes == 0
            ? "Nothing is stored that no branch or tag needs."
            : "No branch or tag needs \(Quantity.bytes(collection.deadBytes)) in "
                + "\(Quantity.count(collection.deadObjects, "object")): cambium gc --prune frees them when the reflog's "
                + "grace period is over (--grace 0: at once)."
        self.init(
            .storage,
            caption:
                "Bytes of all different tensors and experts up to each commit, beside what a checkpoint for each "
                + "commit would take; uncompressed. The file takes \(Quantity.bytes(statistics.fileBytes)), of which "
                + "\(Quantity.bytes(statistics.freeBytes)) are free for later commits. " + freed,
            table: Table(
                ["commit", "subject", "time", "model", "new", "together", "as checkpoints"],
                storage.commits.map {
                    [
                        .words($0.id), .words($0.subject), .words(Timestamp.text($0.time)),
                        .bytes($0.bytes), .bytes($0.new), .bytes($0.together), .bytes($0.separate),
                    ]
                }),
            missing: storage.commits.isEmpty
                ? Missing(
                    words: "The store has no commits yet.",
                    command: "cambium commit CHECKPOINT -m base")
                : nil, payload: storage
        ) { width in
            let commits = storage.commits
            let label = "Bytes that are stored, and what checkpoints would take"
            var frame = Frame(
                width: width, height: width < 600 ? 240 : 300, label: label, note: "bytes",
                acrossLabel: "commits, oldest first",
                across: commits.indices.map { Double($0 + 1) },
                up: commits.map { Double($0.separate) },
                upUnit: .bytes, upFromZero: true)
            frame.line(
                commits.enumerated().map { (Double($0 + 1), Double($1.separate)) }, colour: 1)
            frame.line(
                commits.enumerated().map { (Double($0 + 1), Double($1.together)) }, colour: 0)
            if commits.count <= 400 {
                for (index, commit) in commits.enumerated() {
                    let title = "\(commit.id.short)  \(commit.subject)\n"
                    frame.dot(
                        Double(index + 1), Double(commit.separate), colour: 1, radius: 3.5,
                        title: title + "\(Quantity.bytes(commit.separate)) as checkpoints")
                    frame.dot(
                        Double(index + 1), Double(commit.together), colour: 0, radius: 3.5,
                        title: title
                            + "\(Quantity.bytes(commit.new)) new, \(Quantity.bytes(commit.together)) together"
                    )
                }
            }
            let legend = Legend([
                ("as checkpoints, each by itself", "f1"),
                ("different tensors and experts, once", "f0"),
            ]).drawing(width: width)
            let live = max(0, statistics.fileBytes - statistics.freeBytes)
            let bars = Shares([
                .init(
                    "checkpoints", words: Quantity.bytes(statistics.logicalBytes),
                    parts: [(Double(statistics.logicalBytes), "f1", "as checkpoints")]),
                .init(
                    "the file", words: Quantity.bytes(statistics.fileBytes),
                    parts: [
                        (Double(live), "f0", "\(Quantity.bytes(live)) in use"),
                        (
                            Double(statistics.freeBytes), "hole",
                            "\(Quantity.bytes(statistics.freeBytes)) free inside"
                        ),
                    ]),
                .init(
                    "not needed", words: Quantity.bytes(collection.deadBytes),
                    parts: [(Double(collection.deadBytes), "f7", "what no branch or tag needs")]),
            ]).drawing(width: width, label: "")
            return [Drawing.stack([frame.drawing, legend, bars], gap: 12, label: label)]
        }
    }
}
