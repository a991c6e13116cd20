internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RepackCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "repack",
        abstract: "Rewrite the store without free space.",
        discussion: """
            The store must not be in use. The new file replaces the old one in one step; until then \
            both take space. What the heads of branches need and commits stored as differences \
            becomes raw, to be mapped, which takes the space of what changed.

            With --compress, what only history needs is compressed first: earlier versions of \
            experts as differences to later ones where that helps. What the heads of branches and \
            tags need stays as it is, to be mapped. Ids, exports and merges do not change; running \
            or exporting an old snapshot decompresses what it reads.

            cambium gc --prune
            cambium repack
            cambium repack --compress
            """)

    @Flag(help: "Compress what no branch's or tag's own model needs.")
    var compress = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let path = try global.storePath()
        let compress = compress
        let result = try console.withProgress("repack") { progress in
            try Store.repack(path, compress: compress, progress: progress.report)
        }
        console.show(RepackReport(result: result, compress: compress))
    }
}

struct RepackReport: Report {
    let result: RepackResult
    let compress: Bool

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let (before, after) = (result.bytesBefore, result.bytesAfter)
        var lines: [String] = []
        if compress {
            lines.append(
                result.packsCompressed == 0
                    ? "nothing to compress: every pack is needed by a branch or tag, or is "
                        + "compressed already"
                    : "compressed \(Quantity.count(result.packsCompressed, "pack")) from "
                        + "\(Quantity.bytes(result.rawBytes)) to "
                        + "\(Quantity.bytes(result.compressedBytes)) "
                        + "(\(Quantity.share(result.compressedBytes, of: result.rawBytes)))")
        }
        return lines + [
            "\(Quantity.bytes(before)) before, \(Quantity.bytes(after)) after: "
                + "\(Quantity.bytes(max(0, before - after))) given back"
        ]
    }

    func quietLines() -> [String] { ["\(result.bytesAfter)"] }
}
