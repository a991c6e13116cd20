internal import Files
internal import KeyValue

/// Defaults that a store or a user has for what options and environment variables may say.
///
/// A text file of lines `NAME = VALUE`; `#` begins a comment. It stands in the store's folder as `config`,
/// and for a user as `cambium/config` below `XDG_CONFIG_HOME` or `~/.config`. The command line applies it,
/// in this order: option, environment variable, store, user. The library does not.
public struct Settings: Sendable {
    /// What can be set.
    public enum Name: String, Sendable, CaseIterable {
        /// Who commits, as `CAMBIUM_AUTHOR`.
        case author
        /// How long a collection lets the reflog keep commits, as `CAMBIUM_GRACE`.
        case grace
        /// How progress is shown, as `CAMBIUM_PROGRESS`.
        case progress
        /// `auto`, `always` or `never`, as `CLICOLOR_FORCE` and `NO_COLOR`.
        case color
        /// Where experts are copied rather than mapped, as `CAMBIUM_MEMORY_LIMIT`.
        case memoryLimit = "memory-limit"
        /// Bytes that what a lazy clone fetched may take on the disk, as `CAMBIUM_REMOTE_CACHE`.
        case remoteCache = "remote.cache"
        /// The program that shows long output, as `CAMBIUM_PAGER`; a user's alone, since a store may come from
        /// somebody else.
        case pager

        /// Whether a store may have it.
        public var isForStores: Bool { self != .pager }
    }

    private var file: SettingsFile
    /// Whether it is a user's, not a store's.
    public let isUsers: Bool

    /// The file.
    public var path: String { file.path }

    /// What it says, by name; other names are left alone.
    public var values: [Name: String] {
        // A name of a later version, or a store's that is a user's alone, is left alone.
        let known = Name.allCases.filter { isUsers || $0.isForStores }
        return Dictionary(
            uniqueKeysWithValues: known.compactMap { name in
                file.values[name.rawValue].map { (name, $0) }
            })
    }

    /// Reads a store's settings; without a file there are none.
    ///
    /// - Throws: `io`, `usage` for a line that says nothing.
    public static func ofStore(at directory: String) throws -> Settings {
        Settings(file: try SettingsFile(directory + "/config"), isUsers: false)
    }

    /// Reads the user's settings; without a file there are none.
    ///
    /// Nil where there is no home.
    public static func ofUser() throws -> Settings? {
        try userConfigFolder().map {
            Settings(file: try SettingsFile($0 + "/cambium/config"), isUsers: true)
        }
    }

    /// Sets a value, or with nil removes it, and writes the file; other lines stay.
    ///
    /// - Throws: `usage` for a name that a store may not have, or a value of several lines; `read-only`, `io`.
    public mutating func set(_ name: Name, to value: String?) throws {
        guard isUsers || name.isForStores else {
            throw CambiumError(
                .usage,
                "\(name.rawValue) is a user's setting: what a store from somebody else says would run on "
                    + "your machine; give --user")
        }
        try file.set(name.rawValue, to: value, makesFolder: isUsers)
    }
}
