package import Elements

/// The decoded header of a safetensors file: where each tensor lies.
///
/// The format: the header's length (8 bytes, little-endian), the header (a JSON object), the data.
/// Each member of the object is a tensor with its `dtype`, `shape` and `data_offsets` (begin and end
/// in the data), but for `__metadata__`, which holds text. The tensors cover the data without
/// overlap or hole. <https://huggingface.co/docs/safetensors>
///
/// Decoding follows the reference implementation (safetensors 0.8) and is stricter where it would
/// serve surprises: it takes the last of two tensors of one name, ignores unknown fields, and
/// accepts names with control characters. All three are refused here.
package struct SafetensorsHeader: Sendable, Hashable {
    package struct Tensor: Sendable, Hashable {
        package let name: String
        package let shape: TensorShape
        /// Where its bytes are, counted from the start of the data.
        package let range: Range<Int>
    }

    /// The bytes that hold the header's length.
    static let prefixLength = 8
    /// The reference implementation's limit on the header's length.
    static let greatestLength = 100_000_000
    static let metadataKey = "__metadata__"

    /// Every tensor, in the order of the data.
    package let tensors: [Tensor]
    /// Nil when the header has no `__metadata__`.
    package let metadata: HeaderMetadata?

    /// Checks a header's length against the file's.
    ///
    /// - Parameters:
    ///   - prefix: The first 8 bytes of the file.
    ///   - fileLength: At least 8.
    /// - Throws: `.tooLarge`, or `.truncated` when the file ends inside the header.
    static func length(prefix: UInt64, fileLength: Int, source: String) throws -> Int {
        guard prefix <= greatestLength else {
            throw CambiumError(
                .tooLarge,
                "\(source) announces a header of \(prefix) bytes, but safetensors allows "
                    + "\(greatestLength); it is probably not a safetensors file")
        }
        let length = Int(prefix)
        guard length <= fileLength - prefixLength else {
            throw CambiumError(
                .truncated,
                "\(source) announces a header of \(length) bytes but is \(fileLength) bytes long; "
                    + "it is cut short or not a safetensors file: copy or download it again")
        }
        return length
    }

    /// Decodes the JSON and checks every tensor's place.
    ///
    /// - Parameters:
    ///   - dataCount: How many bytes follow the header.
    ///   - source: The file, for messages.
    /// - Throws: `.badHeader`, `.unknownType`, `.duplicateName`, `.overlap`, `.hole` or `.truncated`.
    /// - Complexity: O(*n* log *n*) for *n* tensors.
    package init(decoding json: [UInt8], dataCount: Int, source: String) throws {
        guard json.first == UInt8(ascii: "{") else {
            throw CambiumError(
                .badHeader, "the header of \(source) does not begin with { as the format requires")
        }
        var decoder = HeaderDecoder(source: source)
        var reader = JSONReader(json, source: "the header of \(source)", code: .badHeader)
        try reader.object { reader, key in
            try decoder.member(key, &reader)
        }
        try reader.end()
        var tensors = decoder.tensors
        tensors.sort {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        try Self.checkCover(tensors, dataCount: dataCount, source: source)
        self.tensors = tensors
        self.metadata = decoder.metadata
    }

    /// Checks that the tensors, sorted by place, follow one another from the first byte to the last.
    private static func checkCover(_ tensors: [Tensor], dataCount: Int, source: String) throws {
        var end = 0
        for tensor in tensors {
            let range = tensor.range
            guard range.lowerBound == end else {
                let overlaps = range.lowerBound < end
                throw CambiumError(
                    overlaps ? .overlap : .hole,
                    "tensor \(quoted(tensor.name)) of \(source) begins at byte \(range.lowerBound) "
                        + "of the data, but the tensors before it end at \(end): "
                        + (overlaps ? "they overlap" : "a hole, which the format forbids"))
            }
            end = range.upperBound
        }
        guard end <= dataCount else {
            throw CambiumError(
                .truncated,
                "the tensors of \(source) take \(end) bytes, but the file holds \(dataCount) after "
                    + "its header: it is cut short, copy or download it again")
        }
        guard end == dataCount else {
            throw CambiumError(
                .hole,
                "\(source) has \(dataCount - end) bytes after its last tensor, which the format "
                    + "forbids: it is damaged, or its header belongs to another file")
        }
    }
}
