internal import ArgumentParser
internal import Cambium

struct ConfigCommand: StoreCommand {
    /// It tells where each setting comes from.
    static let appliesSettings = false

    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "List, read and change settings of a store or a user.",
        discussion: """
            What an option says goes first, then the environment variable, then the store's settings, then \
            the user's. Names:

              author        who commits (CAMBIUM_AUTHOR)
              grace         gc --grace (CAMBIUM_GRACE)
              progress      --progress (CAMBIUM_PROGRESS)
              color         auto, always or never (CLICOLOR_FORCE, NO_COLOR)
              memory-limit  --memory-limit of eval, generate, route (CAMBIUM_MEMORY_LIMIT)
              remote.cache  bytes on disk for what a lazy clone fetched (CAMBIUM_REMOTE_CACHE)
              pager         what shows long output (CAMBIUM_PAGER, PAGER); a user's alone

            They are lines NAME = VALUE in the file `config` of the store's folder, and in \
            $XDG_CONFIG_HOME/cambium/config or ~/.config/cambium/config.

            cambium config                          # list, with where each comes from
            cambium config author "Ada <ada@example.org>"
            cambium config --user grace 30d
            cambium config grace                    # read one
            cambium config --unset grace
            """)

    @Argument(
        help: "Its name; without one, all are listed.",
        completion: .list(Settings.Name.allCases.map(\.rawValue)))
    var name: String?

    @Argument(help: "Its new value.")
    var value: String?

    @Flag(help: "Change the user's settings, not the store's.")
    var user = false

    @Flag(help: "Remove it.")
    var unset = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if unset, name == nil || value != nil {
            throw ValidationError("--unset takes the name of a setting, and no value")
        }
    }

    func run(_ console: Console) throws {
        let userSettings = try Settings.ofUser()
        // A user's settings need no store.
        let store = try user ? try? global.storePath() : global.storePath()
        if let store, !Store.exists(at: store), !user { _ = try Store(store) }
        let storeSettings = try store.flatMap {
            Store.exists(at: $0) ? try Settings.ofStore(at: $0) : nil
        }
        guard let name else {
            let entries = Settings.Name.allCases.map { name in
                let found = AppliedSettings.source(
                    of: name, store: storeSettings, user: userSettings)
                return SettingEntry(
                    name: name.rawValue, value: found?.value, source: found?.source)
            }
            return console.show(SettingsReport(settings: entries))
        }
        guard let setting = Settings.Name(rawValue: name) else {
            throw Failure(
                .usage, "there is no setting '\(name)'",
                hint: "known: \(Settings.Name.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard value != nil || unset else {
            guard
                let found = AppliedSettings.source(
                    of: setting, store: user ? nil : storeSettings, user: userSettings)
            else { throw Failure(.notFound, "\(name) is not set") }
            return console.show(
                SettingReport(
                    setting: SettingEntry(name: name, value: found.value, source: found.source)))
        }
        if let value, let rule = setting.objection(to: value) {
            throw Failure(.usage, "'\(value)' is no value of \(name): give \(rule)")
        }
        guard var file = user ? userSettings : storeSettings else {
            throw Failure(.notFound, "there is no home for a user's settings: HOME is not set")
        }
        try file.set(setting, to: value)
        console.show(
            SettingReport(
                setting: SettingEntry(
                    name: name, value: value, source: user ? "user" : "store"),
                file: file.path))
    }
}

/// One setting.
struct SettingEntry: Encodable {
    let name: String
    let value: String?
    /// "environment", "store" or "user"; nil when it is not set.
    let source: String?

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        // A reader may rely on the keys.
        try container.encode(value, forKey: .value)
        try container.encode(source, forKey: .source)
    }

    enum CodingKeys: String, CodingKey { case name, value, source }
}

/// All settings, and where each comes from.
struct SettingsReport: Report {
    let settings: [SettingEntry]

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left, .left])
        for setting in settings {
            table.add([
                setting.name, setting.value ?? style.faint("not set"),
                style.faint(setting.source ?? ""),
            ])
        }
        return table.lines()
    }

    func quietLines() -> [String] {
        settings.compactMap { setting in setting.value.map { "\(setting.name) = \($0)" } }
    }
}

/// One setting that was read or changed.
struct SettingReport: Report {
    let setting: SettingEntry
    /// The file that was written; nil when it was only read.
    var file: String?

    func encode(to encoder: any Encoder) throws { try setting.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        guard let file else { return [setting.value ?? ""] }
        let words = setting.value.map { "\(setting.name) = \($0)" } ?? "\(setting.name) is not set"
        return [words + style.faint("  (\(file))")]
    }

    func quietLines() -> [String] { [setting.value ?? ""] }
}
