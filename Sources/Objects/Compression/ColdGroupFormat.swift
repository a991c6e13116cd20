internal import Elements

/// The bytes of a compressed block of payloads, every number little-endian.
///
///     offset  bytes
///          0      4  "CGRP"
///          4      2  version, 1
///          6      2  number of sections s, 0 to 8
///          8      4  number of runs r
///         12     16  first half of the SHA-256 of bytes 0 to 11 and then of both tables
///         28    12r  runs: payloads that follow each other and are alike
///                      0  4  number of payloads, at least 1
///                      4  4  bytes of each payload
///                      8  1  element width: 1, 2, 4 or 8
///                      9  1  1 if each is a difference to its predecessor, else 0
///                     10  2  0
///    28 + 12r     8s  sections, one for each kind (width, difference) that has bytes; by width,
///                     then those without predecessor first
///                      0  1  element width
///                      1  1  difference, 0 or 1
///                      2  1  method: 0 as they are, 1 shuffled and compressed, 2 the changed elements only
///                      3  1  0
///                      4  4  bytes that are stored
///                    the sections' bytes in the same order, to the end of the block
///
/// A section's content is its payloads, or their differences (``VersionDelta``), one after the
/// other in the order of the runs. Method 0 stores the content and then the first half of its
/// SHA-256; method 1 stores one zstd frame, with checksum, of the content shuffled as a whole
/// (``ByteShuffle``). Method 2, for differences only, stores what ``ChangedWords/stored(_:)`` says. So each byte is checked once, and a block that was damaged is refused. That
/// a predecessor is the right one is not: the object's id tells.
enum ColdGroupFormat {
    static let magic: UInt32 = 0x5052_4743  // "CGRP"
    static let version: UInt16 = 1
    static let headCount = 28
    static let checksumCount = 16
    static let runEntryCount = 12
    static let sectionEntryCount = 8

    /// Payloads that share a section.
    struct Kind: Hashable, Sendable {
        let width: ElementWidth
        let hasPredecessor: Bool

        /// In the order of sections.
        static let all = ElementWidth.allCases.flatMap {
            [Kind(width: $0, hasPredecessor: false), Kind(width: $0, hasPredecessor: true)]
        }
    }

    enum Method: UInt8 {
        case stored = 0
        case compressed = 1
        case sparse = 2
    }

    /// The first half of the SHA-256 of `head` and then `rest`.
    static func checksum(_ head: [UInt8], _ rest: RawSpan) -> [UInt8] {
        Array(ObjectID(hashing: head, rest).bytes.prefix(checksumCount))
    }
}
