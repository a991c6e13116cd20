package import Elements

/// The code of the error that `body` throws, or nil when it returns.
package func code<Result>(
    _ body: () throws -> Result
) -> CambiumError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? CambiumError)?.code
    }
}
