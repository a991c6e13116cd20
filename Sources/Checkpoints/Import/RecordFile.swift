internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// What a store records about a model in files of its tree: evidence, squared gradients, and how counts
/// predict.
///
/// An export writes them beside the checkpoint, so that a commit of the folder is the same tree; the
/// transformers library has no use for them.
enum RecordFile {
    /// Whether a file of this name is a record that is named by an object: `evidence.` or `fisher.` and 64
    /// hexadecimal digits.
    static func isNamedByID(_ name: String) -> Bool { id(name) != nil }

    /// Whether a file of this name is a record of any kind.
    static func isRecord(_ name: String) -> Bool {
        isNamedByID(name) || name == Tree.mixtureName
    }

    /// The object that a record of squared gradients is of.
    static func measured(_ name: String) -> ObjectID? {
        name.hasPrefix(FisherFile.prefix) ? id(name) : nil
    }

    /// Checks that the content of a file is what its name says, so that nothing becomes evidence by its name
    /// alone.
    ///
    /// - Throws: `bad-input`.
    static func check(_ name: String, _ bytes: [UInt8]) throws {
        let code = CambiumError.Code.badInput
        let advice =
            "it is damaged or another program's; export it again, or move it out of the folder"
        if name.hasPrefix(EvidenceName.prefix) {
            let actual = EvidenceName.name(try ObjectID(ofFile: bytes))
            guard actual == name else {
                throw CambiumError(
                    code,
                    "\(name) is not the evidence that it is named after (its bytes are \(actual)): \(advice)"
                )
            }
            do {
                _ = try EvidenceRecord(decoding: bytes)
            } catch let error as CambiumError where error.isOfEvidence {
                throw CambiumError(
                    code, "\(name) holds no evidence: \(error.message); move it out of the folder")
            }
        } else if name.hasPrefix(FisherFile.prefix) {
            let values = try? FisherFile.decoded(bytes, name)
            guard let values, values.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
                throw CambiumError(code, "\(name) holds no squared gradients: \(advice)")
            }
        }
    }

    private static func id(_ name: String) -> ObjectID? {
        for prefix in [EvidenceName.prefix, FisherFile.prefix] where name.hasPrefix(prefix) {
            guard let id = ObjectID(hex: String(name.dropFirst(prefix.count))),
                prefix + id.hex == name
            else { return nil }
            return id
        }
        return nil
    }
}
