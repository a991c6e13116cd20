package import Elements

/// The code of the error that `body` throws, or nil when it returns.
package func code<Result>(
    _ body: () throws -> Result
) -> CambiumError.Code? {
    do {
        _ = try body()
        return nil
    } catch let error as CambiumError {
        return error.code
    } catch {
        preconditionFailure("\(error) is no error of Cambium")
    }
}
