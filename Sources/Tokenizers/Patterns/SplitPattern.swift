internal import CPCRE2
internal import Elements

/// A regular expression of the kind that tokenizers split text with, compiled by PCRE2.
///
/// ``PatternSyntax`` says what is understood.
@safe final class SplitPattern: @unchecked Sendable {
    // pcre2api(3), "Multithreading": "compiled regular expression code ... is never changed by the matching
    // functions and can be shared by threads". Only `init` and `deinit` change it.
    fileprivate let code: OpaquePointer

    /// - Throws: `.unsupported`, naming the construct.
    convenience init(_ pattern: String) throws {
        var syntax = PatternSyntax(pattern)
        try self.init(translated: syntax.translated(), of: pattern)
    }

    /// For text that is taken literally.
    convenience init(literal: String) throws {
        try self.init(
            translated: literal.unicodeScalars.map(PatternSyntax.escaped).joined(), of: literal)
    }

    /// One character of White_Space.
    static func whiteSpace() throws -> SplitPattern {
        try SplitPattern(translated: #"[\t-\r\x{85}\p{Z}]"#, of: "white space")
    }

    /// One character of punctuation, or of ASCII's symbols.
    static func punctuation() throws -> SplitPattern {
        try SplitPattern(translated: #"[!-/:-@\[-`{-~\p{P}]"#, of: "punctuation")
    }

    /// What Unicode's `\w+|[^\w\s]+` is (UTS #18, annex C).
    static func words() throws -> SplitPattern {
        let word = #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}"#
        return try SplitPattern(
            translated: "[\(word)]+|[^\(word)" + #"\t-\r\x{85}\p{Z}]+"#, of: "words")
    }

    private init(translated: String, of pattern: String) throws {
        var (failure, place): (Int32, Int) = (0, 0)
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP)
        let code = unsafe translated.utf8.withContiguousStorageIfAvailable {
            unsafe pcre2_compile_8($0.baseAddress, $0.count, options, &failure, &place, nil)
        }
        guard let code = unsafe code.flatMap({ unsafe $0 }) else {
            throw CambiumError.unsupportedTokenizer(
                "the split pattern \(shown(pattern)): PCRE2 refuses it (\(failure))")
        }
        var mayBeEmpty: UInt32 = 0
        _ = unsafe pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_MATCHEMPTY), &mayBeEmpty)
        guard mayBeEmpty == 0 else {
            unsafe pcre2_code_free_8(code)
            throw CambiumError.unsupportedTokenizer(
                "the split pattern \(shown(pattern)): it matches where there is nothing")
        }
        // Where memory must not be both written and run, the pattern is interpreted: slower, and the same.
        _ = unsafe pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        unsafe self.code = code
    }

    deinit { unsafe pcre2_code_free_8(code) }
}

/// Searches texts for a pattern, one after another; owns what PCRE2 needs for it.
@safe struct PatternSearch: ~Copyable {
    /// Steps that one text may take beside some for each of its bytes; the patterns in use take a few
    /// for each character, and a hostile one gets no further.
    private static let patience = 100_000
    private static let patiencePerByte = 1_000
    /// KiB that a pattern may take that is interpreted.
    private static let heapLimit: UInt32 = 256 << 10

    /// What a text may still cost, and where the last callout was.
    private struct Steps {
        var left = 0
        var (start, place, number) = (0, 0, UInt32(0))

        /// What was taken or given back since the last callout.
        ///
        /// A repetition that is not that one's may have
        /// begun anywhere behind the match's start.
        mutating func take(_ block: pcre2_callout_block_8) -> Bool {
            let isSame = unsafe block.start_match == start && block.callout_number == number
            let before = unsafe isSame ? place : block.start_match
            unsafe (start, place, number) = (
                block.start_match, block.current_position, block.callout_number
            )
            left -= 1 + abs(place - before)
            return left > 0
        }
    }

    private let pattern: SplitPattern
    private let context, match: OpaquePointer
    private let steps: UnsafeMutablePointer<Steps>

    init(_ pattern: SplitPattern) throws {
        guard let context = unsafe pcre2_match_context_create_8(nil) else { throw Self.noMemory }
        guard let match = unsafe pcre2_match_data_create_8(1, nil) else {
            unsafe pcre2_match_context_free_8(context)
            throw Self.noMemory
        }
        self.pattern = pattern
        unsafe (self.context, self.match) = (context, match)
        unsafe steps = .allocate(capacity: 1)
        unsafe steps.initialize(to: Steps())
        // None of these can fail. PCRE2's own limit begins anew at each place of a text; ours is the text's.
        _ = unsafe pcre2_set_match_limit_8(context, .max)
        _ = unsafe pcre2_set_depth_limit_8(context, .max)
        _ = unsafe pcre2_set_heap_limit_8(context, Self.heapLimit)
        _ = unsafe pcre2_set_callout_8(
            context,
            { block, steps in
                guard let block = unsafe block, let steps = unsafe steps else { return 0 }
                let mayGoOn = unsafe steps.assumingMemoryBound(to: Steps.self).pointee
                    .take(block.pointee)
                return mayGoOn ? 0 : PCRE2_ERROR_CALLOUT
            }, steps)
    }

    private static var noMemory: CambiumError {
        CambiumError(.limit, "no memory for a search (ulimit -v)")
    }

    deinit {
        unsafe pcre2_match_data_free_8(match)
        unsafe pcre2_match_context_free_8(context)
        unsafe steps.deallocate()
    }

    /// The matches in a text, from its start on, none of them empty.
    ///
    /// - Parameter text: UTF-8.
    /// - Throws: `.tooHard`.
    mutating func matches(in text: ArraySlice<UInt8>, _ take: (Range<Int>) -> Void) throws {
        unsafe steps.pointee.left = Self.patience + text.count * Self.patiencePerByte
        let failure = unsafe text.withUnsafeBufferPointer { bytes -> Int32 in
            var at = 0
            // The first search checks that all of the text is UTF-8.
            var options: UInt32 = 0
            while at < bytes.count {
                var result = unsafe pcre2_match_8(
                    pattern.code, bytes.baseAddress, bytes.count, at, options, match, context)
                if result == PCRE2_ERROR_JIT_STACKLIMIT {
                    result = unsafe pcre2_match_8(
                        pattern.code, bytes.baseAddress, bytes.count, at,
                        options | UInt32(PCRE2_NO_JIT), match, context)
                }
                if result == PCRE2_ERROR_NOMATCH { return 0 }
                guard result >= 0, let ends = unsafe pcre2_get_ovector_pointer_8(match) else {
                    return result
                }
                options = UInt32(PCRE2_NO_UTF_CHECK)
                let (start, end) = unsafe (ends[0], ends[1])
                at = end
                if end > start {
                    take(text.startIndex + start..<text.startIndex + end)
                } else {
                    at += 1
                    while at < bytes.count, unsafe bytes[at] & 0xC0 == 0x80 { at += 1 }
                }
            }
            return 0
        }
        switch failure {
        case 0: return
        case PCRE2_ERROR_NOMEMORY, PCRE2_ERROR_HEAPLIMIT: throw Self.noMemory
        case PCRE2_ERROR_CALLOUT:
            throw CambiumError(
                .tooHard,
                "the split pattern takes too many steps on a text of \(text.count) bytes")
        default:
            throw CambiumError(
                .io, "PCRE2 cannot search a text of \(text.count) bytes (\(failure))")
        }
    }
}
