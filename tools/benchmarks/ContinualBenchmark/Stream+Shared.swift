internal import Architectures
internal import BenchmarkSupport
internal import Models
internal import Routing
internal import Tensors
internal import Training

/// Rounds that train one table of hashed experts, which all texts share.
extension Stream {
    /// One round per new domain on the model of the round before: its rows alone are trained, the less the more
    /// earlier texts used them, and no gate picks anything.
    func runShared() throws {
        let (base, summary) = try trainedBase(.hashed)
        let model = base.copy()
        var row = Row(name: "hashed, one shared table", model, summary)
        row.stages.append(try evaluate(model))
        guard let router = model.config.hash?.router else { throw Failure("no hashed experts") }
        var uses = [UInt32](repeating: 0, count: router.expertCount)
        func count(_ domain: String) {
            for id in router.rows(of: plan.train[domain] ?? []) { uses[Int(id)] += 1 }
        }
        for domain in plan.baseDomains { count(domain) }
        for (index, domain) in plan.newDomains.enumerated() {
            let done = try train(
                WholeModel(model, protecting: [uses]) { _ in true },
                on: [plan.text(domain)],
                settings: settings(.shared, plan.roundSeconds, plan.seed + UInt64(index)),
                progress: report("shared \(domain)"))
            count(domain)
            row.add(done)
            row.stages.append(try evaluate(model))
        }
        row.parameters = model.parameterCount
        row.rows = model.rows.joined().reduce(0) { $0 + $1.ids.count }
        row.stateBytes = 4 * row.parameters + 4 * row.rows
        results.rows.append(row)
    }
}
