/// Where a run is that was stopped or has come to its end: what the next one needs to go on as if nothing had
/// happened.
///
/// With a budget of steps or tokens the result has the bits of a run that was not stopped.
package struct TrainingState: Sendable {
    /// Steps done.
    package var step: Int
    /// Wall-clock time so far, in seconds, and CPU time.
    package var seconds, processorSeconds: Double
    /// Bits per byte, mean of the last steps; 0 before the first.
    package var loss: Double
    /// Of the sampler's generator.
    package var sampler: UInt64
    /// The optimiser's numbers: values, first and second moments, then each expert table with its moments,
    /// then of each table of hashed experts the rows that are there, what they are, and their sums.
    package var numbers: [[Float]]

    package init(
        step: Int, seconds: Double, processorSeconds: Double, loss: Double, sampler: UInt64,
        numbers: [[Float]]
    ) {
        self.step = step
        self.seconds = seconds
        self.processorSeconds = processorSeconds
        self.loss = loss
        self.sampler = sampler
        self.numbers = numbers
    }
}
