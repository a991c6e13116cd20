internal import Architectures
internal import BenchmarkSupport
internal import Elements
internal import Models
internal import Routing
internal import Tensors
internal import Training

/// Hashed experts as a store can keep them: in few bits, without those that were hardly used.
extension Stream {
    /// The models of the row with hashed experts again, packed.
    func runPacked() throws {
        try expect(!hashedModels.isEmpty, "the row hashedPacked comes behind the row hashed")
        let texts = [plan.baseDomains] + plan.newDomains.map { [$0] }
        let width = hashedModels[0].config.hiddenSize
        let bits = plan.tuning.rowBits
        guard let form = RowForm.codes(bits, width: width) else { throw Failure("\(bits) bits") }
        var row = Row(name: "Cambium, hashed, \(bits) bits")
        var (models, tables) = ([Likelihoods](), [RowTable]())
        for (model, domains) in zip(hashedModels, texts) {
            let uses = uses(of: domains, under: model)
            let packed = model.changingRows { layer in
                // The base's table is packed once.
                let last = pack(layer[layer.count - 1], form, uses)
                return layer.count == 1 ? [last] : [tables[0], last]
            }
            let own = packed.rows[0][packed.rows[0].count - 1]
            tables.append(own)
            row.parameters += model.layout.count + own.ids.count * width
            row.stateBytes += 4 * model.layout.count + own.ids.count * (4 + form.byteCount)
            row.rows += own.ids.count
            models.append(try likelihoods(packed, false))
        }
        row.activeParameters = hashedModels[0].layout.count
        try addGated(row, models, mixesCounts: false)
    }

    private func uses(of domains: [String], under model: TrainableModel) -> [UInt32] {
        guard let router = model.config.hash?.router else { return [] }
        var uses = [UInt32](repeating: 0, count: router.expertCount)
        for domain in domains {
            for id in router.rows(of: plan.train[domain] ?? []) { uses[Int(id)] += 1 }
        }
        return uses
    }

    private func pack(_ table: RowTable, _ form: RowForm, _ uses: [UInt32]) -> RowTable {
        let packed = RowTable(count: table.count, width: table.width)
        for id in table.ids where uses[Int(id)] >= plan.tuning.rowUses {
            var values = [Float](repeating: 0, count: table.width)
            var span = values.mutableSpan
            let row = table[id] ?? []
            let codes = form.quantised(row.span)
            Kernels.addRow(codes.raw, form, into: &span)
            packed.set(id, values)
        }
        return packed
    }
}
