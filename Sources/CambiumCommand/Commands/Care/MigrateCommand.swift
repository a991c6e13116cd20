internal import ArgumentParser
internal import Cambium

struct MigrateCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring a store of an older format to the current one.",
        discussion: """
            In place and in one transaction: killed at any point, the store has the old format or \
            the new one. The store must not be in use. An older cambium cannot open it afterwards.

            cambium migrate -C S
            """)

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(MigrateReport(result: try Store.migrate(global.storePath())))
    }
}

struct MigrateReport: Report {
    let result: MigrateResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        result.from == result.to
            ? ["format \(result.to) is current; nothing to do"]
            : ["format \(result.from) is now format \(result.to)"]
    }

    func quietLines() -> [String] { ["\(result.to)"] }
}
