internal import Tensors

/// Prepares OpenBLAS for training, whose threads each compute a part of their own.
///
/// - Throws: `.limit` when it cannot be loaded: without it training would take many times as long.
func useBLAS() throws(TrainingError) {
    if let failure = BLASThreads.failure { throw TrainingError(.limit, failure) }
    BLASThreads.set(1)
}
