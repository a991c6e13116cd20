internal import Elements

/// How the JSON of a file's header differs from the one that is written for its tensors: by one stretch of
/// text in the place of another.
///
/// Spaces, padding, escapes, and the order of tensors, fields and metadata are free in the format; with the
/// splice a file is written again byte for byte.
package struct HeaderSplice: Sendable, Hashable {
    /// Bytes that both texts begin with.
    package let prefix: Int
    /// Bytes that both texts end with.
    package let suffix: Int
    /// What the file has between them.
    package let middle: [UInt8]

    package init(prefix: Int, suffix: Int, middle: [UInt8]) {
        self.prefix = prefix
        self.suffix = suffix
        self.middle = middle
    }

    /// Nil when the texts are equal.
    init?(from plain: [UInt8], to text: [UInt8]) {
        guard plain != text else { return nil }
        let shorter = min(plain.count, text.count)
        var prefix = 0
        while prefix < shorter, plain[prefix] == text[prefix] { prefix += 1 }
        var suffix = 0
        while suffix < shorter - prefix,
            plain[plain.count - 1 - suffix] == text[text.count - 1 - suffix]
        {
            suffix += 1
        }
        self.init(
            prefix: prefix, suffix: suffix, middle: Array(text[prefix..<(text.count - suffix)]))
    }

    /// Whether the text that it makes describes exactly these tensors and this metadata.
    ///
    /// - Parameter isOrdered: Whether the data lie in the order of `tensors`; else in that of Python's writer.
    package func fits(
        _ tensors: [TensorEntry], _ metadata: HeaderMetadata?, ordered isOrdered: Bool
    ) throws -> Bool {
        let entries = isOrdered ? tensors : SafetensorsHeader.inFileOrder(tensors)
        let plain = try SafetensorsHeader.text(entries, metadata: metadata, source: "the file")
        return SafetensorsHeader.spliced(plain, by: self, entries, metadata, source: "the file")
            != nil
    }

    /// The file's text; nil when the plain one is too short to be the one that the splice was made for.
    func applied(to plain: [UInt8]) -> [UInt8]? {
        guard prefix >= 0, suffix >= 0, prefix <= plain.count, suffix <= plain.count - prefix
        else { return nil }
        return plain[..<prefix] + middle + plain[(plain.count - suffix)...]
    }
}

/// What a layout keeps of a file's header besides names, shapes and metadata.
package struct HeaderForm: Sendable, Hashable {
    /// Whether the data lie in the order in which they are written when none is given.
    package let isInFileOrder: Bool
    /// Nil when the header is the one that is written for the tensors in the order of the data.
    package let splice: HeaderSplice?
}

extension SafetensorsFile {
    /// How the file's bytes differ from those that are written for its tensors.
    ///
    /// - Throws: `.unsupported` or `.tooLarge`, for a header that cannot be written.
    /// - Complexity: Builds the header's text once more.
    package func form() throws -> HeaderForm {
        let entries = header.tensors.map { TensorEntry($0.name, $0.shape) }
        let plain = try SafetensorsHeader.text(
            entries, metadata: header.metadata?.sorted, source: path)
        return HeaderForm(
            isInFileOrder: SafetensorsHeader.isInFileOrder(entries),
            splice: HeaderSplice(from: plain, to: headerText))
    }
}

extension SafetensorsHeader {
    /// Whether tensors stand in the order in which they are written when none is given.
    package static func isInFileOrder(_ tensors: [TensorEntry]) -> Bool {
        fileOrder(tensors).elementsEqual(tensors.indices)
    }

    /// Tensors in the order in which they are written when none is given.
    package static func inFileOrder(_ tensors: [TensorEntry]) -> [TensorEntry] {
        fileOrder(tensors).map { tensors[$0] }
    }

    /// The JSON that a splice makes of the plain one, when that describes exactly these tensors and this
    /// metadata; else nil.
    static func spliced(
        _ plain: [UInt8], by splice: HeaderSplice, _ tensors: [TensorEntry],
        _ metadata: HeaderMetadata?, source: String
    ) -> [UInt8]? {
        let dataCount = tensors.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
        guard let text = splice.applied(to: plain), text.count <= greatestLength,
            let header = try? SafetensorsHeader(
                decoding: text, dataCount: dataCount, source: source),
            header.metadata?.sorted == metadata?.sorted, header.tensors.count == tensors.count
        else { return nil }
        // Tensors without bytes share a place with others.
        var places: [String: Tensor] = [:]
        for tensor in header.tensors { places[tensor.name] = tensor }
        var offset = 0
        for tensor in tensors {
            let end = offset + (tensor.shape.byteCount ?? 0)
            guard let place = places[tensor.name], place.shape == tensor.shape,
                place.range == offset..<end,
                // Not `==` on strings, which compares Unicode normal forms.
                place.name.utf8.elementsEqual(tensor.name.utf8)
            else { return nil }
            offset = end
        }
        return text
    }
}

extension HeaderMetadata {
    /// The entries in the order of the bytes of their keys, as they are written.
    package var sorted: HeaderMetadata {
        HeaderMetadata(
            entries: entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
    }
}
