package import Architectures
internal import Elements
package import Routing
internal import Synchronization

/// A base model with the adapters that rounds of training added, and what picks among them: the model that
/// a snapshot with adapters is.
///
/// An adapter is a model of its own, made of the base's weights and the adapter's deltas, and is loaded when a
/// text first needs it. Without adapters it is the base, with the base's bits.
///
/// The value may be shared between threads; each ``AdaptedSession`` runs on one.
package final class AdaptedModel: Sendable {
    /// An adapter and how its model is made.
    package struct Entry: Sendable {
        package let name: String
        /// Whether its model runs the base's experts, so that its picks are of them.
        let usesExperts: Bool
        /// Bits of evidence that a text owes before the adapter is as likely as the others.
        let handicap: Int
        private let make: @Sendable () throws -> LanguageModel

        package init(
            name: String, usesExperts: Bool = false, handicap: Int = 0,
            make: @escaping @Sendable () throws -> LanguageModel
        ) {
            self.name = name
            self.usesExperts = usesExperts
            self.handicap = handicap
            self.make = make
        }

        fileprivate func model() throws -> LanguageModel { try make() }
    }

    package let base: LanguageModel
    package let adapters: [Entry]
    package let mixture: AdapterMixture
    /// How tokens are spelled for the gate; nil where they are no text, and may be nil without a gate.
    package let speller: (@Sendable () -> any TokenSpeller)?
    private let loaded: Mutex<[LanguageModel?]>

    /// - Parameters:
    ///   - gate: Picks among classes of these names, in the gate's order. A class that is no adapter's
    ///     name is the base's. Nil for the base alone.
    ///   - counts: How the gate's counts predict beside the models; nil if they do not.
    ///   - picksByLikelihood: Whether, without a gate, models are picked by how well they predict the text.
    ///   - speller: Spells the tokens of a text; nil for bytes, where there are 256, and no text elsewhere.
    package init(
        _ base: LanguageModel, adapters: [Entry] = [],
        gate: (gate: CountGate, classes: [String])? = nil, counts: CountExpert.Settings? = nil,
        picksByLikelihood: Bool = false,
        speller: (@Sendable () -> any TokenSpeller)? = nil
    ) {
        let hasBytes = base.description.vocabularySize == 256
        let bytes: @Sendable () -> any TokenSpeller = { ByteSpeller() }
        self.speller = speller ?? (hasBytes ? bytes : nil)
        precondition(gate == nil || self.speller != nil, "a gate reads text")
        precondition(counts == nil || hasBytes, "counts predict bytes")
        self.base = base
        self.adapters = adapters
        if let gate {
            let numbers = Dictionary(
                adapters.enumerated().map { ($1.name, $0 + 1) }, uniquingKeysWith: { $1 })
            let models = gate.classes.map { numbers[$0] ?? 0 }
            mixture = AdapterMixture(
                gate.gate, models: models, counts: counts,
                handicaps: models.map { $0 == 0 ? 0 : adapters[$0 - 1].handicap })
        } else if picksByLikelihood {
            mixture = AdapterMixture(
                LikelihoodGate(
                    modelCount: 1 + adapters.count, handicaps: [0] + adapters.map(\.handicap)))
        } else {
            mixture = AdapterMixture()
        }
        loaded = Mutex([LanguageModel?](repeating: nil, count: adapters.count))
    }

    package var description: ModelDescription { base.description }

    /// The name of a model: "base", or an adapter's.
    package func name(of model: Int) -> String { model == 0 ? "base" : adapters[model - 1].name }

    /// The base for 0, then the adapters, loaded when first asked for.
    ///
    /// - Throws: What loading throws; then the next call tries again.
    package func model(_ index: Int) throws -> LanguageModel {
        guard index > 0 else { return base }
        return try loaded.withLock { models in
            if let model = models[index - 1] { return model }
            let model = try adapters[index - 1].model()
            models[index - 1] = model
            return model
        }
    }
}

extension AdaptedModel.Entry {
    /// An adapter whose deltas lie beside the base's weights.
    ///
    /// - Parameters:
    ///   - base: What the base is made of.
    ///   - source: Has the base's tensors and those of the adapter.
    package init(
        _ name: String, _ description: AdapterDescription, base: ModelDescription,
        source: some WeightSource
    ) {
        self.init(
            name: name, usesExperts: description.usesExperts, handicap: description.handicap
        ) {
            do {
                return try LanguageModel(
                    description.model(on: base),
                    source: AdapterWeights(source, adapter: name, description))
            } catch let error as CambiumError {
                throw error.adding("adapter \(name) cannot run")
            }
        }
    }
}
