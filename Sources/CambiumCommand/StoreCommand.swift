internal import ArgumentParser
internal import Cambium

/// A command that works on a store.
protocol StoreCommand: ParsableCommand {
    /// The options that every command has.
    var global: GlobalOptions { get }

    /// Does the work and says what came of it.
    func run(_ console: Console) throws
}

extension StoreCommand {
    func run() throws {
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
