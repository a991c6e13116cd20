internal import Elements
internal import Tensors

/// Sees to it that OpenBLAS is there for training.
///
/// - Throws: `.limit` when it cannot be loaded: without it training would take many times as long.
func useBLAS() throws {
    if let failure = BLASThreads.failure { throw CambiumError(.limit, failure) }
}
