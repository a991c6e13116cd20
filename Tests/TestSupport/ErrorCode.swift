package import Snapshots

/// The code of the error that `body` throws, or nil when it returns.
package func code<Result>(
    _ body: () throws(SnapshotError) -> Result
) -> SnapshotError.Code? {
    do throws(SnapshotError) {
        _ = try body()
        return nil
    } catch {
        return error.code
    }
}
