internal import ArgumentParser
internal import Cambium
internal import FoundationEssentials

struct CatCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat",
        abstract: "Write raw bytes of an expert, tensor or file.",
        discussion: """
            Experts and tensors are little-endian, an expert's parts one after the other.

            cambium cat main:1/17 > expert.bin
            cambium cat main:model.norm.weight | od -f
            cambium cat main:config.json
            """)

    @Argument(
        help: "REV:LAYER/ORDINAL, REV:LAYER/POOL/ORDINAL, REV:TENSOR or REV:FILE.",
        completion: Completion.revisions)
    var place: String

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let place = Place(place)
        guard let path = place.path, !path.isEmpty else {
            throw ValidationError(
                "'\(place.revision)' names a whole model: add what to write, for example "
                    + "\(place.revision):1/17")
        }
        let store = try openForReading()
        let bytes =
            place.namesExperts
            ? try store.expert(place.revision, path).data
            : try store.data(place.revision, named: path)
        if console.isJSON {
            console.show(CatReport(revision: place.revision, path: path, content: bytes))
        } else {
            console.write(file: bytes)
        }
    }
}

/// Raw bytes inside JSON.
struct CatReport: Report {
    let revision: String
    let path: String
    let content: [UInt8]

    enum CodingKeys: String, CodingKey { case revision, path, bytes, base64 }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(revision, forKey: .revision)
        try container.encode(path, forKey: .path)
        try container.encode(content.count, forKey: .bytes)
        try container.encode(Data(content).base64EncodedString(), forKey: .base64)
    }

    func lines(_ style: Style) -> [String] { [] }
}
