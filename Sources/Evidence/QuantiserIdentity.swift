internal import Elements
package import Objects
package import Routing

extension Quantiser {
    /// The id that its canonical bytes would have as a file object: the same scales, the same id.
    ///
    /// The scales themselves are in every record (docs/decisions/0011).
    package func id() throws -> ObjectID { try ObjectID(ofFile: encoded) }
}

extension GramContribution.Source {
    /// What was picked, for messages.
    var words: String {
        "\(heads) \(heads == 1 ? "head" : "heads") among \(digits.prefix(2).map(String.init).joined(separator: " x ")) experts"
    }
}

extension GramContribution {
    /// Refuses a record of the same layer and trunk whose integers were made by another quantiser.
    ///
    /// - Parameters:
    ///   - other: What it would be added to.
    ///   - id: Of this record.
    ///   - place: Whose quantiser the other's is.
    package func checkQuantiser(_ other: Source, _ id: ObjectID, _ place: String) throws {
        guard source.layer == other.layer, source.trunk == other.trunk,
            source.quantiser != other.quantiser
        else { return }
        let (own, others) = (try source.quantiser.id(), try other.quantiser.id())
        throw CambiumError(
            .usage,
            "evidence \(id.short) of layer \(source.layer) was made with quantiser "
                + "\(own.short), and that of \(place) is \(others.short): "
                + "their integers have other scales and cannot be added; drop it (cambium evidence drop "
                + "\(id.short)) and add its text again: cambium evidence add --kind gram --layer "
                + "\(source.layer) --adapter \(adapter) --text FILE")
    }

    /// Refuses a record that was made over another trunk than a commit has.
    func checkTrunk(_ trunk: [UInt8], _ id: ObjectID, of place: String) throws {
        guard source.trunk != trunk else { return }
        throw CambiumError(
            .usage,
            "evidence \(id.short) of layer \(source.layer) was made over another trunk than "
                + "\(place) has: what it counted are other features; drop it, or ask the "
                + "commit that it was added to")
    }
}
