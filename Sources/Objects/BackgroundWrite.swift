internal import Dispatch
internal import KeyValue
internal import Synchronization

/// One write transaction that runs on another thread, from begin to commit.
///
/// LMDB: "A write Transaction may only be used by the thread it was created on" (lmdb.h,
/// `mdb_txn_begin`); here one block on one thread does all of it.
final class BackgroundWrite: Sendable {
    private let result = Mutex<Result<[ObjectStaging.WrittenPack], ObjectError>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    /// Starts at once.
    ///
    /// - Parameter body: Returns the packs that it wrote.
    init(
        _ environment: Environment,
        _ body:
            @escaping @Sendable (borrowing WriteTransaction) throws(ObjectError)
            -> [ObjectStaging.WrittenPack]
    ) {
        DispatchQueue.global(qos: .userInitiated).async { [self] in
            let outcome: Result<[ObjectStaging.WrittenPack], ObjectError>
            do throws(ObjectError) {
                outcome = .success(try environment.write("packs", body))
            } catch {
                outcome = .failure(error)
            }
            result.withLock { $0 = outcome }
            done.signal()
        }
    }

    /// Waits for the end; call once.
    func wait() throws(ObjectError) -> [ObjectStaging.WrittenPack] {
        done.wait()
        guard let outcome = result.withLock({ $0 }) else { return [] }
        return try outcome.get()
    }
}
