// The one error type of all layers is the façade's as well.
@_exported public import Elements
public import FoundationEssentials

extension CambiumError: LocalizedError {
    /// The message: what `localizedDescription` gives.
    public var errorDescription: String? { message }
}
