/// How long a round of training lasts.
public enum TrainBudget: Sendable, Hashable {
    /// Steps of the optimiser: the same round again gives the same bits on the same machine.
    case steps(Int)
    /// Bytes that are predicted, rounded up to whole steps; as repeatable as steps.
    case tokens(Int)
    /// Wall-clock time; the bits depend on how fast the machine was.
    case seconds(Double)
}

/// What a round of training changes.
public enum TrainTarget: Sendable, Hashable {
    /// A new adapter, or more training of one that is there: deltas of the frozen base's weights, active
    /// for the texts that the gate gives them.
    case adapter(String, AdapterForm)
    /// The model's own weights, which forget what they are not trained on.
    ///
    /// - Parameters:
    ///   - freezesTrunk: Only the experts' rows are trained, and their routers.
    ///   - freezesExperts: The experts' rows stay byte for byte.
    case model(freezesTrunk: Bool, freezesExperts: Bool)
    /// The old experts of each layer that the texts use most relative to what others use them for, as many of
    /// a layer; all else keeps its bytes.
    case experts(Int)
}

/// What the deltas of an adapter are.
public enum AdapterForm: Sendable, Hashable {
    /// Full-rank deltas of every dense weight; the base's expert layers are skipped while it is active.
    case dense
    /// Low-rank deltas of every matrix, embedding and head; the base's experts run.
    case lowRank(Int)
    /// Full-rank deltas of the embedding, the norms and the head alone; the base's experts run.
    case small
}

/// What a new adapter is before its first step.
public enum AdapterStart: Sendable, Hashable {
    /// Nothing: it follows from base, texts, settings and seed alone, on whatever branch it is trained.
    case nothing
    /// What the adapter is that the gate finds likeliest for the round's texts, where it is of the same form;
    /// nothing where that is the base.
    case nearest
    /// What this adapter is; of the same form.
    case adapter(String)
}

/// Experts that a new adapter gets, with a router of their own, in place of the base's while it is active.
public enum NewExperts: Sendable, Hashable {
    /// Neurons in each of the base's layers of neurons, with its heads, picks and keys; a square number.
    case neurons(Int)
    /// SwiGLU experts of an inner width in every layer, of which a token uses the best `topK`.
    case swiglu(Int, width: Int, topK: Int)
}

/// A text that training does not see, to tell how well the model predicts it.
public struct HeldOutText: Sendable {
    /// Names the metric `NAME.bpb`.
    public let name: String
    /// At least one window of the model's context.
    public let bytes: [UInt8]

    /// A text and the name of its metric.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// The place of a round among several that were planned at once.
public struct RoundPlan: Sendable, Hashable, Encodable {
    /// The commit whose model the plan was made for, by its id.
    public let commit: String
    /// Which of the rounds, from 1.
    public let number: Int

    /// A round of a plan.
    public init(commit: String, number: Int) {
        self.commit = commit
        self.number = number
    }
}

/// Old behaviour that a round keeps close to, on the branch's evidence of states (``Store/addStates(_:label:count:threads:_:progress:)``).
///
/// To the loss of each step comes, as a mean over the layers and of at most 512 states of each,
/// `output` ‖y − y₀‖² / ‖y₀‖² + `router` KL(p₀, p): y is what the layer's experts give together, p the distribution of its
/// router over all of them (of trees and hashes none), y₀ and p₀ those of the model before the round. Hashed experts in front
/// of a layer are one layer more.
public struct TrainHold: Sendable, Equatable {
    /// What the outputs of expert layers count.
    public var output: Double
    /// What the routers' distributions count.
    public var router: Double

    /// Outputs and routers held alike, or each as it is given.
    public init(output: Double, router: Double) {
        self.output = output
        self.router = router
    }
}

/// A round of training.
public struct TrainOptions: Sendable {
    /// Where the round is committed, with message, metadata and metrics of the caller's.
    public var commit: CommitOptions
    /// The texts; each is drawn from in equal shares.
    public var texts: [[UInt8]]
    /// Names of the texts, which the commit keeps beside their digests; may be fewer.
    public var textNames: [String] = []
    /// Names of the background texts; may be fewer.
    public var backgroundNames: [String] = []
    /// How the round was asked for, for example a command line; kept with a round that was stopped.
    public var request: String?
    /// What is trained.
    public var target: TrainTarget
    /// How long.
    public var budget: TrainBudget
    /// What a new adapter is before its first step; one that begins as another cannot outlive that one's being
    /// forgotten.
    public var adapterStart = AdapterStart.nothing
    /// What a new adapter gets besides deltas; nil for nothing, or of an adapter that is trained further what
    /// it has.
    public var newExperts: NewExperts?
    /// Texts that the model knows, for a round that edits experts: those that they use are left alone.
    ///
    /// Not needed where the branch has evidence of what its experts are used for, as a base has that was
    /// trained in the store.
    public var background: [[UInt8]] = []
    /// Of the windows that are drawn, and of new weights.
    public var seed: UInt64 = 1
    /// Windows of the context length in a step; even.
    public var windows = 8
    /// The peak rate of AdamW.
    public var rate = 3e-3
    /// The peak rate of hashed experts, which follow Adagrad.
    ///
    /// Nil for 0.1. For models that have some.
    public var rowRate: Double?
    /// The share of bytes, 0 to 1, that are trained without the hashed experts of n-grams above a length that is
    /// drawn for each: so the model learns to do without n-grams that no text had.
    ///
    /// For texts that are read several times over, whose rows would else be learned by heart; for models that have
    /// hashed experts.
    public var rowDrop = 0.0
    /// Steps until the peak rate.
    public var warmUp = 20
    /// How much predictions are kept close to those of the model before the round, on the round's own texts:
    /// times the Kullback-Leibler divergence from it (learning without forgetting: Li and Hoiem, 1606.09282).
    ///
    /// Of an adapter that is trained further the model before is the adapter, else the base. 0 for not at all.
    public var divergenceWeight = 0.0
    /// How much the round is held to what the model's expert layers did on old text; nil for not at all.
    ///
    /// For rounds that train the model itself or edit its experts: an adapter leaves old text alone.
    public var hold: TrainHold?
    /// Whether the n-grams of the evidence predict beside the model from this round on.
    ///
    /// Nil as the branch has it, and true for a new base; what is once on stays on.
    public var mixesCounts: Bool?
    /// Bytes in an n-gram of the evidence, 1 to 8.
    ///
    /// Nil as the branch's evidence has; without any 6 where counts predict beside the model, else 3.
    public var evidenceOrder: Int?
    /// The config.json of a new base model, for a branch without a model.
    public var initial: [UInt8]?
    /// Evaluated before the commit; the figures become metrics.
    public var heldOut: [HeldOutText] = []
    /// Threads that share a step and evaluate; nil for as many as the machine has cores.
    ///
    /// The result does not depend on them.
    public var threads: Int?
    /// Goes on with the round of this branch that was stopped.
    public var resumes = false
    /// Which of several rounds this is, when they were planned at once; kept with a round that was stopped.
    public var plan: RoundPlan?

    /// A round with a seed of 1 and the rates that the documentation's figures were made with.
    public init(
        _ commit: CommitOptions, texts: [[UInt8]], target: TrainTarget, budget: TrainBudget
    ) {
        self.commit = commit
        self.texts = texts
        self.target = target
        self.budget = budget
    }
}

/// The experts of a layer that a round edited.
public struct EditedLayer: Sendable, Encodable {
    /// The layer's number.
    public let layer: Int
    /// Ascending.
    public let experts: [Int]
}

/// What a round of training did.
public struct TrainResult: Sendable, Encodable {
    /// The commit's id.
    public let commit: String
    /// The branch.
    public let branch: String
    /// The adapter that was trained; nil for the model's own weights.
    public let adapter: String?
    /// Whether the adapter is new.
    public let isNewAdapter: Bool
    /// The adapter as which it began; nil where it began as nothing.
    public let startedFrom: String?
    /// The experts that were edited.
    public let edited: [EditedLayer]
    /// Steps of the optimiser.
    public let steps: Int
    /// Bytes that were predicted.
    public let tokens: Int
    /// Wall-clock time of training.
    public let seconds: Double
    /// Bits per byte, mean of the last 50 steps.
    public let loss: Double
    /// Numbers that were trained.
    public let parameters: Int
    /// Bits per byte of the held-out texts, by name, through the gate.
    public let bitsPerByte: [String: Double]
    /// The gate after the round.
    public let gate: String?
    /// Bytes that the store did not have.
    public let newBytes: Int
}
