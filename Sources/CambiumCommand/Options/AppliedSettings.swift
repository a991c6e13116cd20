internal import Cambium

/// Settings as the defaults of environment variables: what neither an option nor a variable says, a store's
/// settings say, and then the user's.
enum AppliedSettings {
    /// Puts the settings into the variables of this process that are not set.
    ///
    /// - Parameter store: The store's directory; nil for a command without one.
    /// - Throws: `usage` for a file that cannot be read as settings.
    static func apply(store: String?) throws {
        var files: [Settings] = []
        if let store, Store.exists(at: store) { files.append(try Settings.ofStore(at: store)) }
        if let user = try Settings.ofUser() { files.append(user) }
        for name in Settings.Name.allCases {
            guard !name.isSet, let value = files.compactMap({ $0.values[name] }).first else {
                continue
            }
            name.set(value)
        }
    }

    /// The value of a setting, and where it comes from.
    static func source(
        of name: Settings.Name, store: Settings?, user: Settings?
    ) -> (value: String, source: String)? {
        if let value = name.variableValue { return (value, "environment") }
        if let value = store?.values[name] { return (value, "store") }
        if let value = user?.values[name] { return (value, "user") }
        return nil
    }
}

extension Settings.Name {
    /// The variables that decide before a setting does.
    private var variables: [String] {
        switch self {
        case .author: ["CAMBIUM_AUTHOR"]
        case .grace: ["CAMBIUM_GRACE"]
        case .progress: ["CAMBIUM_PROGRESS"]
        case .color: ["NO_COLOR", "CLICOLOR_FORCE"]
        case .memoryLimit: ["CAMBIUM_MEMORY_LIMIT"]
        case .remoteCache: ["CAMBIUM_REMOTE_CACHE"]
        case .pager: ["CAMBIUM_PAGER", "PAGER"]
        }
    }

    fileprivate var isSet: Bool { variables.contains { Terminal.variable($0) != nil } }

    fileprivate var variableValue: String? {
        guard self == .color else { return variables.compactMap(Terminal.variable).first }
        if Terminal.variable("NO_COLOR") != nil { return "never" }
        return Terminal.variable("CLICOLOR_FORCE").map { $0 == "0" ? "auto" : "always" }
    }

    fileprivate func set(_ value: String) {
        switch (self, value) {
        case (.color, "never"): Terminal.setVariable("NO_COLOR", "1")
        case (.color, "always"): Terminal.setVariable("CLICOLOR_FORCE", "1")
        case (.color, _): break
        default: Terminal.setVariable(variables[0], value)
        }
    }

    /// What the setting may be, in words; nil when the value is one of it.
    func objection(to value: String) -> String? {
        switch self {
        case .author, .pager: nil
        case .grace:
            GraceOption(argument: value) == nil ? "a length of time such as 14d, 12h or 0" : nil
        case .progress:
            GlobalOptions.ProgressChoice(rawValue: value) == nil ? "auto, plain, json or none" : nil
        case .color:
            ["auto", "always", "never"].contains(value) ? nil : "auto, always or never"
        case .memoryLimit:
            SizeOption(argument: value) == nil ? "a size such as 300M or 2G" : nil
        case .remoteCache:
            value != "0" && SizeOption(argument: value) == nil
                ? "a size such as 500M or 20G, or 0" : nil
        }
    }
}

extension Terminal {
    /// The value of a variable that an option's type reads.
    ///
    /// - Throws: `usage` when it is not one of the type's.
    static func option<Value>(
        _ variable: String, _ name: Settings.Name, _ make: (String) -> Value?
    ) throws(Failure) -> Value? {
        guard let text = Terminal.variable(variable) else { return nil }
        guard let value = make(text) else {
            throw Failure(
                .usage,
                "\(variable), or the setting \(name.rawValue), is '\(text)'; it must be "
                    + (name.objection(to: text) ?? "another value"),
                hint: "`cambium config \(name.rawValue)` shows where it comes from")
        }
        return value
    }
}
