// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium
internal import Reporting

/// A failure of the interface itself.
struct Failure: Error {
    let code: cambium_code
    let message: String

    init(_ code: cambium_code, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// Runs what a function does, and tells how it ended.
func call(_ body: () throws -> Void) -> cambium_code {
    let failure: Failure
    do {
        try body()
        return CAMBIUM_OK
    } catch let error as Failure {
        failure = error
    } catch let error as CambiumError {
        failure = Failure(error.code.number, error.message)
    } catch {
        failure = Failure(CAMBIUM_INTERNAL, "\(error)")
    }
    // A text of C ends at its first 0.
    unsafe failure.message.withCString { unsafe cambium_process_set_message($0) }
    return failure.code
}

extension CambiumError.Code {
    /// The code in the header.
    fileprivate var number: cambium_code {
        switch self {
        case .notFound: CAMBIUM_NOT_FOUND
        case .notAStore: CAMBIUM_NOT_A_STORE
        case .ambiguous: CAMBIUM_AMBIGUOUS
        case .exists: CAMBIUM_EXISTS
        case .usage: CAMBIUM_USAGE
        case .badName: CAMBIUM_BAD_NAME
        case .badRevision: CAMBIUM_BAD_REVISION
        case .badInput: CAMBIUM_BAD_INPUT
        case .badShape: CAMBIUM_BAD_SHAPE
        case .tooLarge: CAMBIUM_TOO_LARGE
        case .branchMoved: CAMBIUM_BRANCH_MOVED
        case .conflict: CAMBIUM_CONFLICT
        case .unrelated: CAMBIUM_UNRELATED
        case .incompatible: CAMBIUM_INCOMPATIBLE
        case .dependedOn: CAMBIUM_DEPENDED_ON
        case .corrupt: CAMBIUM_CORRUPT
        case .diskFull: CAMBIUM_DISK_FULL
        case .readOnly: CAMBIUM_READ_ONLY
        case .busy: CAMBIUM_BUSY
        case .hardLinked: CAMBIUM_HARD_LINKED
        case .limit: CAMBIUM_LIMIT
        case .io: CAMBIUM_IO
        case .formatTooOld: CAMBIUM_FORMAT_TOO_OLD
        case .formatTooNew: CAMBIUM_FORMAT_TOO_NEW
        case .changed: CAMBIUM_CHANGED
        case .notACheckpoint: CAMBIUM_NOT_A_CHECKPOINT
        case .truncated: CAMBIUM_TRUNCATED
        case .badHeader: CAMBIUM_BAD_HEADER
        case .unknownType: CAMBIUM_UNKNOWN_TYPE
        case .duplicateName: CAMBIUM_DUPLICATE_NAME
        case .overlap: CAMBIUM_OVERLAP
        case .hole: CAMBIUM_HOLE
        case .badIndex: CAMBIUM_BAD_INDEX
        case .missingShard: CAMBIUM_MISSING_SHARD
        case .unlistedTensor: CAMBIUM_UNLISTED_TENSOR
        case .badConfig: CAMBIUM_BAD_CONFIG
        case .badTokenizer: CAMBIUM_BAD_TOKENIZER
        case .unsupported: CAMBIUM_UNSUPPORTED
        case .unfit: CAMBIUM_UNFIT
        case .missingTensor: CAMBIUM_MISSING_TENSOR
        case .badTensor: CAMBIUM_BAD_TENSOR
        case .unusedTensor: CAMBIUM_UNUSED_TENSOR
        case .contextFull: CAMBIUM_CONTEXT_FULL
        case .notFinite: CAMBIUM_NOT_FINITE
        case .tooHard: CAMBIUM_TOO_HARD
        case .diverged: CAMBIUM_DIVERGED
        case .cancelled: CAMBIUM_CANCELLED
        case .overflow: CAMBIUM_OVERFLOW
        case .unsolvable: CAMBIUM_UNSOLVABLE
        case .network: CAMBIUM_NETWORK
        case .denied: CAMBIUM_DENIED
        case .remote: CAMBIUM_REMOTE
        }
    }
}

/// Texts that live as long as the library.
private enum FixedTexts {
    static let version = FixedText(programVersion)
    static let unknown = FixedText("unknown")
    static let names: [cambium_code.RawValue: FixedText] = {
        var names = [
            CAMBIUM_OK.rawValue: FixedText("ok"), CAMBIUM_CLOSED.rawValue: FixedText("closed"),
            CAMBIUM_FORKED.rawValue: FixedText("forked"),
            CAMBIUM_INTERNAL.rawValue: FixedText("internal"),
        ]
        for code in CambiumError.Code.allCases {
            names[code.number.rawValue] = FixedText(code.rawValue)
        }
        return names
    }()
}

@safe private struct FixedText: @unchecked Sendable {
    // Never changed, never freed.
    let start: UnsafePointer<CChar>

    init(_ text: String) {
        let bytes = text.utf8CString
        let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
        _ = unsafe buffer.initialize(from: bytes)
        unsafe start = UnsafePointer(buffer.baseAddress.unsafelyUnwrapped)
    }
}

@c @implementation
public func cambium_code_name(_ code: cambium_code) -> UnsafePointer<CChar>! {
    unsafe (FixedTexts.names[code.rawValue] ?? FixedTexts.unknown).start
}

@c @implementation
public func cambium_message() -> UnsafePointer<CChar>! { unsafe cambium_process_message() }

@c @implementation
public func cambium_version() -> UnsafePointer<CChar>! { unsafe FixedTexts.version.start }
