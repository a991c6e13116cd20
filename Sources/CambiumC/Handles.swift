// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium

/// What a handle stands for.
final class Held<Value: Sendable>: Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}

/// The table of open handles: numbers in the place of addresses, so that one that was closed is found out.
enum Handles {
    private struct Entry {
        let object: any AnyObject & Sendable
        var count: Int
        /// The process that made it.
        let generation: UInt32
    }

    // Read and written under the lock of process.c alone.
    nonisolated(unsafe) private static var entries: [UInt: Entry] = [:]
    nonisolated(unsafe) private static var last: UInt = 0

    private static func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        cambium_process_lock()
        defer { cambium_process_unlock() }
        return try body()
    }

    /// A new handle with one user.
    static func make<Value: Sendable>(_ value: Value) -> OpaquePointer? {
        let object = Held(value)
        return unsafe locked {
            // Looks like an address, for debuggers and hosts that print it.
            unsafe last += 16
            unsafe entries[last] = Entry(
                object: object, count: 1, generation: cambium_process_generation())
            return unsafe OpaquePointer(bitPattern: last)
        }
    }

    /// What a handle stands for.
    ///
    /// - Throws: `usage` for NULL and for a handle of another kind, `closed`, `forked`.
    static func find<Value: Sendable>(
        _ handle: OpaquePointer?, as type: Value.Type, _ kind: String
    ) throws -> Value {
        guard let handle = unsafe handle else {
            throw Failure(CAMBIUM_USAGE, "the \(kind) is NULL")
        }
        let number = UInt(bitPattern: handle)
        guard let entry = entry(number) else { throw closed(kind) }
        guard entry.generation == cambium_process_generation() else {
            throw Failure(
                CAMBIUM_FORKED,
                "the \(kind) belongs to the process that this one was forked from; open the store again here"
            )
        }
        guard let held = entry.object as? Held<Value> else {
            throw Failure(CAMBIUM_USAGE, "the handle is not that of a \(kind)")
        }
        return held.value
    }

    private static func entry(_ number: UInt) -> Entry? { locked { unsafe entries[number] } }

    private static func closed(_ kind: String) -> Failure {
        Failure(CAMBIUM_CLOSED, "the \(kind) is closed")
    }

    /// Counts users more or fewer; nil takes all.
    ///
    /// What another process made stays as it is.
    static func count(_ handle: UnsafeRawPointer?, by change: Int?) throws {
        guard let handle = unsafe handle else { return }
        let number = UInt(bitPattern: handle)
        // Let go of outside the lock: closing a store is work.
        let gone: Entry? = try locked {
            guard var entry = unsafe entries[number] else { throw closed("handle") }
            guard entry.generation == cambium_process_generation() else { return nil }
            guard let change else { return unsafe entries.removeValue(forKey: number) }
            entry.count += change
            guard entry.count > 0 else { return unsafe entries.removeValue(forKey: number) }
            unsafe entries[number] = entry
            return nil
        }
        _ = gone
    }
}

@c @implementation
public func cambium_retain(_ handle: UnsafeRawPointer!) -> cambium_code {
    call { unsafe try Handles.count(handle, by: 1) }
}

@c @implementation
public func cambium_release(_ handle: UnsafeRawPointer!) -> cambium_code {
    call { unsafe try Handles.count(handle, by: -1) }
}

@c @implementation
public func cambium_close(_ handle: UnsafeRawPointer!) -> cambium_code {
    call { unsafe try Handles.count(handle, by: nil) }
}
