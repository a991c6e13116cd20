package import Elements
package import KeyValue

/// Bytes of a pack of a remote.
package struct BulkRange: Hashable, Sendable {
    /// The remote pack's name.
    package let pack: ObjectID
    package let range: Range<Int>

    package init(_ pack: ObjectID, _ range: Range<Int>) {
        self.pack = pack
        self.range = range
    }

    package var count: Int { range.count }
}

/// Where the data of promised packs come from (docs/format.md, "Promised packs").
///
/// Called from many threads at once, and while a read transaction is open.
package protocol PromisedBulk: AnyObject, Sendable {
    /// The bytes of some ranges, in their order, each as long as it was asked for.
    ///
    /// Nobody believes them: whoever asks compares them with an object's name.
    ///
    /// - Throws: `network`, `denied`, `remote`, as a `Transport` does.
    func read(_ ranges: [BulkRange]) throws -> [MappedBytes]

    /// Keeps what was read of these ranges no longer: it was not what it should be.
    func forget(_ ranges: [BulkRange])
}

extension Environment {
    /// Where promised data come from; nil while nobody said so.
    package var promisedBulk: (any PromisedBulk)? {
        get { attachment as? any PromisedBulk }
        set { attachment = newValue }
    }
}
