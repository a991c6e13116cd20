package import Cambium

/// The figures of a report, in their order on the page.
package enum FigureName: String, CaseIterable, Sendable {
    case history
    case metrics
    case loss
    case matrix
    case experts
    case rounds
    case sharing
    case storage
    case merges

    /// The figure of a store.
    ///
    /// - Throws: What reading throws.
    package func figure(of figures: Figures) throws -> Figure {
        let figure = try made(of: figures)
        guard figures.commits.isEmpty, !figures.revisions.isEmpty else { return figure }
        return figure.lacking("No commit is in \(figures.revisions.joined(separator: ", ")).")
    }

    private func made(of figures: Figures) throws -> Figure {
        switch self {
        case .history: Figure(try figures.history())
        case .metrics: Figure(figures.metrics())
        case .loss: Figure(try figures.loss())
        case .matrix: Figure(figures.forgetting())
        case .experts: Figure(try figures.experts(), of: figures.subject)
        case .rounds: Figure(try figures.origins(), of: figures.subject)
        case .sharing: Figure(try figures.sharing())
        case .storage: Figure(try figures.storage())
        case .merges: Figure(try figures.merges())
        }
    }

    /// Its heading.
    package var title: String {
        switch self {
        case .history: "History"
        case .metrics: "Metrics"
        case .loss: "Loss while training"
        case .matrix: "What is remembered"
        case .experts: "Which experts are picked"
        case .rounds: "Which round made each expert"
        case .sharing: "What branches share"
        case .storage: "Storage"
        case .merges: "What merges decided"
        }
    }
}
