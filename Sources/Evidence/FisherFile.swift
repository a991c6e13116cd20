internal import Elements
package import Objects

/// How squared gradients are kept in a tree: a file `fisher.ID`, where ID is the object that they are of.
///
/// Its bytes (docs/format.md, "Squared gradients"): "CFSH", u32 1, and a little-endian F32 for each
/// element of the object's parts.
package enum FisherFile {
    package static let prefix = "fisher."
    private static let header: [UInt8] = Array("CFSH".utf8) + [1, 0, 0, 0]

    package static func name(_ id: ObjectID) -> String { prefix + id.hex }

    package static func encoded(_ values: [Float]) -> [UInt8] {
        header + values.littleEndianBytes
    }

    /// - Throws: `corrupt` for bytes that ``encoded(_:)`` does not give.
    package static func decoded(_ bytes: [UInt8], _ name: String) throws -> [Float] {
        guard bytes.starts(with: header), bytes.count % 4 == 0 else {
            throw CambiumError(
                .corrupt,
                "file \(name) holds no squared gradients: another program wrote it; revert the commit "
                    + "that added it")
        }
        let span = bytes.raw
        return stride(from: header.count, to: bytes.count, by: 4).map {
            Float(bitPattern: span.number(at: $0))
        }
    }
}
