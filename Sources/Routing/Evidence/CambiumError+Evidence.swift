package import Elements

extension CambiumError {
    /// Whether it is of what evidence says, and not of how it was read.
    package var isOfEvidence: Bool {
        switch code {
        case .badInput, .incompatible, .overflow, .unsolvable: true
        default: false
        }
    }
}
