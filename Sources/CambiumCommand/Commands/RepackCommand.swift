internal import ArgumentParser
internal import Cambium

struct RepackCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "repack",
        abstract: "Rewrite the store without free space.",
        discussion: """
            The store must not be in use. The new file replaces the old one in one step; until then \
            both take space.

            cambium gc --prune
            cambium repack
            """)

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(RepackReport(result: try Store.repack(global.storePath())))
    }
}

struct RepackReport: Report {
    let result: RepackResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let (before, after) = (result.bytesBefore, result.bytesAfter)
        return [
            "\(Quantity.bytes(before)) before, \(Quantity.bytes(after)) after: "
                + "\(Quantity.bytes(max(0, before - after))) given back"
        ]
    }

    func quietLines() -> [String] { ["\(result.bytesAfter)"] }
}
