package import Elements

/// The name and the shape of one tensor of a checkpoint, without its bytes.
package struct TensorEntry: Sendable, Hashable {
    package let name: String
    package let shape: TensorShape

    package init(_ name: String, _ shape: TensorShape) {
        self.name = name
        self.shape = shape
    }
}

/// The `__metadata__` of a safetensors header: text by name, in the order of the file.
package struct HeaderMetadata: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    package struct Entry: Sendable, Hashable {
        package let key: String
        package let value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    package let entries: [Entry]

    package init(entries: [Entry]) { self.entries = entries }

    package init(dictionaryLiteral elements: (String, String)...) {
        self.init(entries: elements.map { Entry(key: $0.0, value: $0.1) })
    }

    /// The value of `key`, or nil.
    package subscript(key: String) -> String? { entries.first { $0.key == key }?.value }
}
