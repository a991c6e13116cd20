internal import Architectures
package import Elements
internal import Models
package import Snapshots
internal import Tensors

extension SnapshotStore {
    /// Commits a branch's model with hashed rows of fewer bits: codes with one scale a row, as near to the rows as
    /// there are (``RowForm/quantised(_:)``).
    ///
    /// - Parameters:
    ///   - bits: 2, 4 or 8; rows that have no more stay.
    ///   - layers: Only in front of these; nil for all.
    ///   - names: Only of these adapters, of the base by the name `base`; nil for all.
    /// - Throws: `usage` for other bits; `not-found` without such rows; `unsupported` for NaN or infinity in one.
    package func quantizeRows(
        _ request: CommitRequest, bits: Int, layers: [Int]?, names: [String]?,
        progress: ProgressReporter
    ) throws -> CommittedModel {
        var noted = request
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        let snapshot = try map(parent)
        var draft = try CommitDraft(self, tree: before)
        var notes: [String] = []
        for table in try RowTables(snapshot, layers: layers, names: names, self).all {
            let width = try snapshot.modelDescription().hiddenSize
            guard let form = RowForm(table.pool.parts, width: width),
                let coded = RowForm.codes(bits, width: width)
            else {
                throw CambiumError(
                    .usage,
                    "rows of \(table.pool.parts) cannot have \(bits) bits; give 2, 4 or 8 that fill bytes"
                )
            }
            if case .codes(let now) = form.element, now <= bits {
                notes.append(
                    "the rows of \(table.name) in layer \(table.layer) have \(now) bits already and stay as they are"
                        + (now < bits ? "; \(bits) would not bring back what they lost" : ""))
                continue
            }
            noted.note.metadata[RowTables.bitsKey] = "\(bits)"
            var rows: [UInt8] = []
            rows.reserveCapacity(table.ordinals.count * coded.byteCount)
            for start in stride(from: 0, to: table.ordinals.count, by: RowTables.rowsAtOnce) {
                let end = min(start + RowTables.rowsAtOnce, table.ordinals.count)
                for row in try table.map(
                    start..<end,
                    {
                        try Self.quantised($1, form, coded, "row \($0) of layer \(table.layer)")
                    })
                {
                    rows += row
                }
                try progress(
                    Progress("rows of layer \(table.layer)", end, table.ordinals.count))
            }
            try draft.putRows(
                table.ordinals, rows, parts: coded.parts, count: Int(table.pool.count),
                layer: table.layer, pool: table.name)
        }
        return try target.commit(fitting: draft, noted, notes: notes)
    }

    private static func quantised(
        _ row: RawSpan, _ form: RowForm, _ coded: RowForm, _ place: String
    ) throws -> [UInt8] {
        var values = [Float](repeating: 0, count: form.width)
        do {
            var span = values.mutableSpan
            Kernels.addRow(row, form, into: &span)
        }
        guard values.allSatisfy(\.isFinite) else {
            throw CambiumError(
                .unsupported, "\(place) holds NaN or infinity and cannot be quantised")
        }
        return coded.quantised(values.span)
    }
}
