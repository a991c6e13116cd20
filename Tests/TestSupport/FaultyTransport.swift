package import Elements
package import Remotes
internal import Synchronization

/// A transport that fails at one of its calls.
///
/// A client that is killed at each request, one after the other, is tried so:
///
///     let whole = FaultyTransport(remote)
///     try push(whole)
///     for at in 1...whole.calls.count {
///         for fault in [FaultyTransport.Fault.deadBefore, .deadAfter] {
///             #expect(throws: CambiumError.self) { try push(FaultyTransport(other, fault, at: at)) }
///             …
package final class FaultyTransport: Transport {
    package enum Fault: Sendable {
        /// This call fails (`network`), and has done nothing; later ones are as ever.
        case failsBefore
        /// This call takes effect and then fails (`network`): the answer was lost.
        case failsAfter
        /// As `failsBefore`, and so do all calls after it: the client was killed or cut off.
        case deadBefore
        /// As `failsAfter`; all calls after it do nothing and fail.
        case deadAfter
        /// A `create` takes effect but answers false: the transport lost the answer, asked again and met its own key.
        case createMeetsItself
        /// A `read` gives half of the bytes: a hostile remote.
        case shortens
        /// A `read` gives bytes with one bit turned, in the middle.
        case flips
        /// A `read` or `entry` says that there is no such key, a `list` is empty: as some caches do.
        case hides
        /// Something runs before the call, such as what another client does meanwhile.
        case meanwhile(@Sendable () throws -> Void)
        /// The call takes so long.
        case waits(Duration)
    }

    /// One call of a transport.
    package struct Call: Sendable, Equatable {
        package enum Kind: Sendable { case read, write, create, list, entry, delete }

        package let kind: Kind
        /// Of a list, the prefix.
        package let key: String
    }

    private let base: any Transport
    private let fault: Fault?
    private let isMet: @Sendable (Int, Call) -> Bool
    private let state = Mutex((calls: [Call](), isDead: false))

    /// - Parameters:
    ///   - fault: Nil to count the calls.
    ///   - at: The call that meets the fault, from 1.
    package convenience init(_ base: any Transport, _ fault: Fault? = nil, at: Int = 0) {
        self.init(base, fault) { number, _ in number == at }
    }

    /// - Parameter isMet: Which calls meet the fault, by their number, from 1, and what they are.
    package init(
        _ base: any Transport, _ fault: Fault?,
        where isMet: @escaping @Sendable (Int, Call) -> Bool
    ) {
        self.base = base
        self.fault = fault
        self.isMet = isMet
    }

    package var url: String { base.url }
    /// All calls so far, in the order in which they began.
    package var calls: [Call] { state.withLock { $0.calls } }

    package func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
        try run(.read, key) { fault in
            if case .hides = fault { return nil }
            guard let bytes = try base.read(key, range, limit: limit) else { return nil }
            switch fault {
            case .shortens: return bytes.slice(0..<(bytes.count / 2))
            case .flips:
                var copy = bytes.copy()
                if !copy.isEmpty { copy[copy.count / 2] ^= 1 }
                return MappedBytes(copying: copy)
            default: return bytes
            }
        }
    }

    package func write(_ key: String, _ body: TransportBody) throws {
        try run(.write, key) { _ in try base.write(key, body) }
    }

    package func create(_ key: String, _ body: TransportBody) throws -> Bool {
        try run(.create, key) { fault in
            let isNew = try base.create(key, body)
            if case .createMeetsItself = fault { return false }
            return isNew
        }
    }

    package func list(_ prefix: String, after: String?) throws -> TransportListing {
        try run(.list, prefix) { fault in
            let found = try base.list(prefix, after: after)
            guard case .hides = fault else { return found }
            return TransportListing(entries: [], next: nil, now: found.now)
        }
    }

    package func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
        try run(.entry, key) { fault in
            if case .hides = fault { return nil }
            return try base.entry(key)
        }
    }

    package func delete(_ key: String) throws {
        try run(.delete, key) { _ in try base.delete(key) }
    }

    package func removeLeftovers(olderThan age: Int64) throws -> (count: Int, bytes: Int) {
        try base.removeLeftovers(olderThan: age)
    }

    private func run<Result>(
        _ kind: Call.Kind, _ key: String, _ body: (Fault?) throws -> Result
    ) throws -> Result {
        let call = Call(kind: kind, key: key)
        let (number, isDead) = state.withLock { state in
            state.calls.append(call)
            return (state.calls.count, state.isDead)
        }
        func failure(_ when: String) -> CambiumError {
            CambiumError(.network, "\(url): call \(number), \(kind) of \(key), fails \(when)")
        }
        guard !isDead else { throw failure("since the client is dead") }
        guard let fault, isMet(number, call) else { return try body(nil) }
        switch fault {
        case .failsBefore: throw failure("before it took effect")
        case .deadBefore:
            state.withLock { $0.isDead = true }
            throw failure("before it took effect")
        case .failsAfter, .deadAfter:
            // What other threads do from now on comes too late.
            if case .deadAfter = fault { state.withLock { $0.isDead = true } }
            _ = try body(nil)
            throw failure("after it took effect")
        case .meanwhile(let other):
            try other()
            return try body(nil)
        case .waits(let duration):
            try Traffic().wait(duration)
            return try body(nil)
        case .createMeetsItself, .shortens, .flips, .hides: return try body(fault)
        }
    }
}
