internal import Elements
internal import KeyValue

extension ObjectStaging {
    /// A read transaction and the index as it was then: the index's records stay in place only
    /// while the transaction lives.
    final class View {
        private let transaction: ReadTransaction
        private let reader: ObjectReader
        /// Compressed packs that were decompressed: each of their objects was checked then.
        private var checked: Set<UInt32>

        /// - Parameter earlier: What was checked stays so: packs are not changed while an object is
        ///   staged.
        init(_ environment: Environment, after earlier: View? = nil) throws(ObjectError) {
            do throws(KeyValueError) {
                transaction = try ReadTransaction(environment)
            } catch {
                throw ObjectError(error)
            }
            reader = try ObjectReader(transaction)
            checked = earlier?.checked ?? []
        }

        func location(of id: ObjectID) throws(ObjectError) -> Location? {
            try reader.location(of: id, transaction)
        }

        func copies(of id: ObjectID) throws(ObjectError) -> ObjectReader.Copies? {
            try reader.copies(of: id, transaction)
        }

        /// Whether the newest copy is what the object should be.
        func isIntact(
            _ copies: ObjectReader.Copies, _ header: ObjectHeader, _ payload: RawSpan
        ) throws(ObjectError) -> Bool {
            let (pack, index) = (copies.pack, copies.index)
            guard pack.isCold else {
                let stored = pack.payload(index)
                return stored.bytes.hasSameBytes(as: payload) && pack.header(index) == header
            }
            if checked.contains(pack.number) { return true }
            do throws(ObjectError) {
                _ = try reader.readable(pack, transaction)
            } catch  where error.code == .corrupt {
                return false
            }
            checked.insert(pack.number)
            return true
        }
    }
}
