internal import ArgumentParser
internal import Cambium

/// A command that works on a store.
protocol StoreCommand: ParsableCommand {
    /// The options that every command has.
    var global: GlobalOptions { get }

    /// Whether settings of the store and the user count for it.
    static var appliesSettings: Bool { get }

    /// Does the work and says what came of it.
    func run(_ console: Console) throws
}

extension StoreCommand {
    static var appliesSettings: Bool { true }

    func run() throws {
        if Self.appliesSettings { try AppliedSettings.apply(store: try? global.storePath()) }
        _ = try global.chosenProgress()
        try run(Console(global, command: Self.configuration.commandName ?? ""))
    }

    /// Opens the store for a command that changes it.
    func openStore() throws -> Store { try Store(global.storePath()) }

    /// Opens the store for a command that only reads; works on a read-only disk.
    func openForReading() throws -> Store {
        let path = try global.storePath()
        do throws(StoreError) {
            return try Store(path)
        } catch  where error.code == .readOnly {
            return try Store(path, readOnly: true)
        }
    }
}
