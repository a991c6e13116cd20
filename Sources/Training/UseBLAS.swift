internal import Tensors

/// Sees to it that OpenBLAS is there for training.
///
/// - Throws: `.limit` when it cannot be loaded: without it training would take many times as long.
func useBLAS() throws(TrainingError) {
    if let failure = BLASThreads.failure { throw TrainingError(.limit, failure) }
}
