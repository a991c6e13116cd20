internal import CCambium
internal import Cambium

// What C passes in, checked.

/// A text.
///
/// - Throws: `usage` for NULL, `bad-input` for what is not UTF-8.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
    guard let text = unsafe try optionalText(pointer, name) else {
        throw Failure(CAMBIUM_USAGE, "\(name) is NULL")
    }
    return text
}

/// A text, or nil for NULL.
func optionalText(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String? {
    guard let pointer = unsafe pointer else { return nil }
    guard let text = unsafe String(validatingCString: pointer) else {
        throw Failure(CAMBIUM_BAD_INPUT, "\(name) is not UTF-8")
    }
    return text
}

/// Elements one after the other.
///
/// - Throws: `usage` for NULL with elements, `too-large` for more than there can be.
func elements<Element>(
    _ start: UnsafePointer<Element>?, _ count: UInt64, _ name: String
) throws -> UnsafeBufferPointer<Element> {
    guard let number = Int(exactly: count),
        !number.multipliedReportingOverflow(by: MemoryLayout<Element>.stride).overflow
    else { throw Failure(CAMBIUM_TOO_LARGE, "\(name): \(count) are more than memory can hold") }
    guard number > 0 else { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
    guard let start = unsafe start else {
        throw Failure(CAMBIUM_USAGE, "\(name) is NULL, but \(count) are announced")
    }
    guard Int(bitPattern: start) % MemoryLayout<Element>.alignment == 0 else {
        throw Failure(CAMBIUM_USAGE, "\(name) is not aligned")
    }
    return unsafe UnsafeBufferPointer(start: start, count: number)
}

/// Bytes one after the other.
func bytes(
    _ start: UnsafeRawPointer?, _ count: UInt64, _ name: String
) throws -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(
        try elements(start?.assumingMemoryBound(to: UInt8.self), count, name))
}

/// Texts one after the other.
func texts(
    _ start: UnsafePointer<UnsafePointer<CChar>?>?, _ count: UInt64, _ name: String
) throws -> [String] {
    let pointers = unsafe try elements(start, count, name)
    return unsafe try pointers.map { unsafe try text($0, "one of \(name)") }
}

/// The caller's memory, which stays as it is until a call returns.
private final class CallersMemory: Sendable {
    static let whole = CallersMemory()
}

/// Bytes in the caller's memory, in place.
func lent(_ start: UnsafeRawPointer?, _ count: UInt64, _ name: String) throws -> MappedBytes {
    unsafe MappedBytes(try bytes(start, count, name), owner: CallersMemory.whole)
}

/// Numbers by name.
func numbers(
    _ start: UnsafePointer<cambium_metric>?, _ count: UInt64, _ name: String
) throws -> [String: Double] {
    var numbers: [String: Double] = [:]
    let all = unsafe try elements(start, count, name)
    for position in all.indices {
        let metric = unsafe all[position]
        let key = unsafe try text(metric.name, "the name of one of \(name)")
        guard unsafe numbers.updateValue(metric.value, forKey: key) == nil else {
            throw Failure(CAMBIUM_DUPLICATE_NAME, "\(name): '\(key)' is there twice")
        }
    }
    return numbers
}

/// Texts by key.
func pairs(
    _ start: UnsafePointer<cambium_pair>?, _ count: UInt64, _ name: String
) throws -> [String: String] {
    var pairs: [String: String] = [:]
    let all = unsafe try elements(start, count, name)
    for position in all.indices {
        let pair = unsafe all[position]
        let key = unsafe try text(pair.key, "the key of one of \(name)")
        let value = unsafe try text(pair.value, "\(name): the value of '\(key)'")
        guard pairs.updateValue(value, forKey: key) == nil else {
            throw Failure(CAMBIUM_DUPLICATE_NAME, "\(name): '\(key)' is there twice")
        }
    }
    return pairs
}

/// Who does something, and when: what is told, else as the environment has it.
func signature(_ author: UnsafePointer<CChar>?, _ time: Int64) throws -> Signature {
    var signature = Signature.current
    if let author = unsafe try optionalText(author, "author") { signature.author = author }
    if time != 0 { signature.time = time }
    return signature
}

extension CommitOptions {
    init(_ pointer: UnsafePointer<cambium_commit_options>?) throws {
        guard let options = unsafe pointer?.pointee else {
            throw Failure(CAMBIUM_USAGE, "options are NULL; a commit needs a message")
        }
        unsafe self.init(
            message: try text(options.message, "options.message"),
            branch: try optionalText(options.branch, "options.branch"),
            signature: try CambiumC.signature(options.author, options.time))
        expectedParent = unsafe try optionalText(options.parent, "options.parent")
        metadata = unsafe try pairs(options.metadata, options.metadata_count, "options.metadata")
        metrics = unsafe try numbers(options.metrics, options.metric_count, "options.metrics")
        let flags = unsafe options.flags
        allowsUnchanged = flags.has(CAMBIUM_ALLOW_UNCHANGED)
        allowsUnfit = flags.has(CAMBIUM_ALLOW_UNFIT)
        isAlone = flags.has(CAMBIUM_ALONE)
    }
}

extension UInt32 {
    func has(_ flag: Int) -> Bool { self & UInt32(truncatingIfNeeded: flag) != 0 }
}

/// Tells a callback of C how far work has come.
func reporter(
    _ progress: cambium_progress?, _ context: UnsafeMutableRawPointer?
) -> ProgressReporter {
    guard let progress = unsafe progress else { return { _ in } }
    return { step in
        let answer = unsafe step.phase.withCString {
            unsafe progress(context, $0, Int64(step.done), Int64(step.total))
        }
        guard answer == 0 else { throw cancelled }
    }
}

/// What a callback that returned something else than 0 ends work with.
var cancelled: CambiumError {
    CambiumError(
        .cancelled, "cancelled by the caller while it was under way; nothing was committed")
}
