internal import Architectures
internal import Foundation
internal import Models
internal import Training

/// Rounds that edit a few old experts of the base.
extension Stream {
    /// One round per new domain on the model of the round before; in each layer the experts that the domain uses
    /// most, relative to all domains before it, are trained, and nothing else.
    func runEdits() throws {
        let (base, summary) = try trainedBase(.peer)
        let model = base.copy()
        var row = Row(name: "edited experts", model, summary)
        row.stages.append(try evaluate(model))
        let empty = [Int](repeating: 0, count: model.config.expertCount)
        var background = [[Int]](repeating: empty, count: model.config.expertLayers.count)
        var windows = 0
        func add(_ use: ExpertUse) {
            windows += use.windows
            for layer in background.indices {
                for expert in empty.indices {
                    background[layer][expert] += use.windowsOf[layer][expert]
                }
            }
        }
        let start = processorSeconds()
        for domain in plan.baseDomains {
            add(try ExpertUse(of: plan.train[domain] ?? [], under: model))
        }
        row.processorSeconds += processorSeconds() - start
        for (index, domain) in plan.newDomains.enumerated() {
            let start = processorSeconds()
            let use = try ExpertUse(of: plan.train[domain] ?? [], under: model)
            let chosen = ExpertUse.mostSpecific(
                plan.tuning.editedExperts, of: use.selection, background: background,
                backgroundWindows: windows)
            add(use)
            let done = try train(
                EditedExperts(model, experts: chosen), on: [plan.text(domain)],
                settings: settings(.edited, plan.roundSeconds, plan.seed + UInt64(index)),
                progress: report("edited \(domain)"))
            row.processorSeconds += processorSeconds() - start
            row.steps += done.steps
            row.stages.append(try evaluate(model))
        }
        row.stateBytes = 4 * model.parameterCount
        results.rows.append(row)
    }
}
