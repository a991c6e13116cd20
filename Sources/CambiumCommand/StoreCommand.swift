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

    /// Opens the store for a command that only reads: it waits for no writer, and works on a read-only disk.
    ///
    /// - Parameter forOutput: Whether what the command writes to standard output is what it is for.
    func openForReading(forOutput: Bool = true) throws -> Store {
        if forOutput { Terminal.needOutput() }
        return try Store(global.storePath(), readOnly: true)
    }
}
