internal import Elements
internal import Files

/// A remote that a store knows by a name.
package struct NamedRemote: Sendable, Equatable {
    package let name: String
    package let address: RemoteAddress
    package let options: RemoteOptions

    package init(name: String, address: RemoteAddress, options: RemoteOptions) {
        self.name = name
        self.address = address
        self.options = options
    }
}

/// The remotes of a store, kept as `remote.NAME.…` in its settings; never credentials.
package struct RemoteList: Sendable {
    private var file: SettingsFile

    /// The name of the remote that a clone came from.
    package static let origin = "origin"
    private static var texts: [(String, WritableKeyPath<RemoteOptions, String?>)] {
        [
            ("endpoint", \.endpoint), ("region", \.region), ("profile", \.profile),
            ("ca-file", \.caFile),
        ]
    }
    private static var flags: [(String, WritableKeyPath<RemoteOptions, Bool>)] {
        [
            ("virtual-host", \.isVirtualHost), ("anonymous", \.isAnonymous),
            ("single-writer", \.isSingleWriter),
        ]
    }

    /// - Parameter directory: The store's.
    package init(_ directory: String) throws {
        file = try SettingsFile(directory + "/config")
    }

    /// By name.
    package func all() throws -> [NamedRemote] {
        try names.map(remote(named:))
    }

    private var names: [String] {
        file.values.keys.compactMap { key in
            key.hasPrefix("remote.") && key.hasSuffix(".url")
                ? String(key.dropFirst("remote.".count).dropLast(".url".count)) : nil
        }.sorted(by: isBefore)
    }

    /// - Throws: `not-found`, with the names that there are.
    package func remote(named name: String) throws -> NamedRemote {
        guard let url = file.values[Self.key(name, "url")] else {
            throw CambiumError(
                .notFound,
                "there is no remote '\(name)'"
                    + (names.isEmpty
                        ? "; `cambium remote add origin URL` makes one"
                        : ". Known remotes: " + names.joined(separator: ", ")))
        }
        var options = RemoteOptions()
        for (word, path) in Self.texts {
            options[keyPath: path] = file.values[Self.key(name, word)]
        }
        for (word, path) in Self.flags {
            options[keyPath: path] = file.values[Self.key(name, word)] == "true"
        }
        return NamedRemote(name: name, address: try RemoteAddress(url), options: options)
    }

    /// The remote of a name, or the one that there is: `origin` where there are several.
    package func remote(orOnly name: String?) throws -> NamedRemote {
        if let name { return try remote(named: name) }
        let names = names
        if names.count == 1 { return try remote(named: names[0]) }
        guard names.contains(Self.origin) || names.isEmpty else {
            throw CambiumError(
                .usage, "there are several remotes: name one of \(names.joined(separator: ", "))")
        }
        return try remote(named: Self.origin)
    }

    /// Whether a remote may be added.
    ///
    /// - Throws: `exists`, `bad-name`.
    package func check(_ remote: NamedRemote) throws {
        try Self.check(name: remote.name)
        guard file.values[Self.key(remote.name, "url")] == nil else {
            throw CambiumError(
                .exists,
                "there is a remote '\(remote.name)' already; `cambium remote rm \(remote.name)` takes it away"
            )
        }
    }

    /// - Throws: `exists`, `bad-name`.
    package mutating func add(_ remote: NamedRemote) throws {
        try check(remote)
        for (word, path) in Self.texts {
            if let value = remote.options[keyPath: path] {
                try file.set(Self.key(remote.name, word), to: value, makesFolder: false)
            }
        }
        for (word, path) in Self.flags where remote.options[keyPath: path] {
            try file.set(Self.key(remote.name, word), to: "true", makesFolder: false)
        }
        // Last: without it there is no remote.
        try file.set(Self.key(remote.name, "url"), to: remote.address.url, makesFolder: false)
    }

    /// Whether what comes from a remote leaves its data there.
    package func isLazy(_ name: String) -> Bool { file.values[Self.key(name, Self.lazy)] == "true" }

    package mutating func setLazy(_ name: String) throws {
        try file.set(Self.key(name, Self.lazy), to: "true", makesFolder: false)
    }

    private static let lazy = "lazy"

    /// Bytes that a lazy clone's cache may have, as the settings say.
    package var cache: String? { file.values["remote.cache"] }

    package mutating func remove(_ name: String) throws {
        _ = try remote(named: name)
        for word in ["url", Self.lazy] + Self.texts.map(\.0) + Self.flags.map(\.0)
        where file.values[Self.key(name, word)] != nil {
            try file.set(Self.key(name, word), to: nil, makesFolder: false)
        }
    }

    private static func key(_ name: String, _ word: String) -> String { "remote.\(name).\(word)" }

    private static func check(name: String) throws {
        let isPlain = name.utf8.allSatisfy { byte in
            TransportKey.isPlain(byte) && byte != UInt8(ascii: "~")
        }
        guard isPlain, (1...64).contains(name.utf8.count), name.first != ".", name.first != "-"
        else {
            throw CambiumError(
                .badName,
                "\(quoted(name)) cannot name a remote: up to 64 letters, digits, -, . and _, not beginning "
                    + "with - or .")
        }
    }
}
