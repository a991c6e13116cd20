/// How long a run lasts.
package enum TrainingBudget: Sendable, Hashable {
    case steps(Int)
    /// Bytes that are predicted, rounded up to whole steps.
    case tokens(Int)
    /// Wall-clock time: a run that follows it does not repeat its bits.
    case seconds(Double)
    /// CPU time of this process, all threads: nor does such a run.
    case processorSeconds(Double)
}

/// How the rows of experts follow their gradient.
package enum ExpertRule: Sendable, Hashable {
    /// As all other parameters do, with two moments for every weight.
    case adam
    /// Gradient descent at a peak rate of its own, without moments: a third of the memory.
    case descent(rate: Float)
}

/// The numbers of a run of training; the defaults are those that trained the reference checkpoint.
package struct TrainingSettings: Sendable, Hashable {
    package var budget: TrainingBudget
    package var seed: UInt64
    /// Windows of a step.
    package var windows = 16
    /// Bytes of each that predict the next; nil for the model's context length.
    package var length: Int?
    /// Parts that a step is divided into, which threads run at the same time.
    ///
    /// The bits depend on it.
    package var parts = 2
    /// Threads that share a step; the bits do not depend on them.
    ///
    /// More than there are parts help with experts and the optimiser alone.
    package var threads = 2
    /// The peak rate of AdamW.
    package var rate: Float = 3e-3
    /// Of the rows of experts; those that no token of a batch picks stay untouched.
    package var expertRule = ExpertRule.adam
    /// The peak rate of hashed experts, which follow Adagrad.
    package var rowRate: Float = 0.1
    /// The share of tokens, in training, that go without hashed experts of n-grams above a drawn length.
    package var rowDrop = 0.0
    /// Weight decay, of matrices alone, times the rate.
    package var decay: Float = 0.05
    /// The greatest global norm of a gradient.
    package var clip: Float = 1
    /// Steps until the peak rate; after it a cosine falls to 2 % of it.
    package var warmUp = 50

    package init(budget: TrainingBudget, seed: UInt64) {
        self.budget = budget
        self.seed = seed
    }
}

/// A text to train on, and its share of the windows.
package struct TrainingText: Sendable {
    package let bytes: [UInt8]
    package let share: Double

    package init(_ bytes: [UInt8], share: Double = 1) {
        self.bytes = bytes
        self.share = share
    }
}

/// Where a run is.
package struct TrainingProgress: Sendable {
    /// Steps done.
    package let step: Int
    /// Bits per byte of the last step.
    package let loss: Double
    /// Bytes predicted so far.
    package let tokens: Int
    /// Wall-clock time so far.
    package let seconds: Double
    /// Of the budget.
    package let fraction: Double

    /// Bytes predicted per second, of all so far.
    package var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}

/// What a run did.
package struct TrainingSummary: Sendable {
    package let steps: Int
    /// Bytes that were predicted.
    package let tokens: Int
    /// Bits per byte, mean of the last 50 steps.
    package let loss: Double
    /// CPU time of this process.
    package let processorSeconds: Double
    package let seconds: Double
    /// How far the last step was from what is held; nil where nothing is.
    package let held: HoldDistance?
}
