internal import ArgumentParser
internal import Cambium
internal import FoundationEssentials

/// Where a round's base comes from, and where the round goes.
struct RoundRemoteOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The remote: a URL (file:///…, s3://bucket/prefix), or a name that the store has.",
            valueName: "url|name"))
    var remote: String

    @OptionGroup var access: AccessOptions

    /// The remote.
    ///
    /// - Parameter store: Where a name is looked up; nil for CAMBIUM_STORE, else the current directory.
    /// - Throws: `usage` for a URL that is none; `not-found` for a name that the store does not have.
    func source(in store: String? = nil) throws -> RoundSource {
        if remote.contains("://") { return try RoundSource(url: remote, access.access) }
        let path = store ?? Terminal.variable("CAMBIUM_STORE") ?? "."
        guard Store.exists(at: path),
            let known = try Store(path, readOnly: true).remotes().first(where: { $0.name == remote }
            )
        else {
            throw Failure(
                .notFound, "'\(remote)' is no URL, and no remote of a store in \(path)",
                hint:
                    "write file:///a/folder or s3://BUCKET/PREFIX; `cambium remote ls` lists a store's"
            )
        }
        return try RoundSource(url: known.url, known.access)
    }
}

extension RoundSource {
    /// As a command line has it.
    var words: [String] {
        var words = ["--remote", url]
        for (option, value) in [
            ("--endpoint", access.endpoint), ("--region", access.region),
            ("--profile", access.profile), ("--ca-file", access.caFile),
        ] {
            if let value { words += [option, value] }
        }
        if access.isVirtualHost { words.append("--virtual-host") }
        if access.isAnonymous { words.append("--anonymous") }
        if access.isSingleWriter { words.append("--single-writer") }
        return words
    }
}

/// A new folder on a disk of this machine, for a store that is gone when the round is over.
enum ScratchFolder {
    /// The path of a folder that does not exist, in one that does: below CAMBIUM_SCRATCH, else TMPDIR, else /tmp.
    static func fresh() throws -> String {
        let parent = Terminal.variable("CAMBIUM_SCRATCH") ?? Terminal.variable("TMPDIR") ?? "/tmp"
        try make(parent)
        let digits = String(UInt64.random(in: 0 ... .max), radix: 36)
        return absolute("\(parent)/cambium-round-\(digits)")
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(Terminal.directory)/\(path)"
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file, all or nothing.
    static func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw Failure(.io, "cannot write \(path)")
        }
    }

    /// Makes a folder, and those above it.
    static func make(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(.io, "cannot make the folder \(path)")
        }
    }
}

/// A round that is merged, and what it must be.
struct RoundLine: Codable, Equatable {
    let branch: String
    /// The round's key; nil for whatever the branch has.
    let key: String?

    /// Those of a file, one in a line of JSON.
    static func read(_ path: String) throws -> [RoundLine] {
        let bytes = try Terminal.read(path, limit: 256 << 20)
        let source = path == "-" ? "standard input" : path
        var known: Set<String> = []
        return try bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated().compactMap { number, line in
                guard !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) else { return nil }
                guard let round = try? JSONDecoder().decode(RoundLine.self, from: Data(line))
                else {
                    throw Failure(
                        .badInput, "\(source), line \(number + 1) names no round",
                        hint: "write {\"branch\": \"train/law\", \"key\": \"…\"} in each line")
                }
                guard known.insert(round.branch).inserted else {
                    throw Failure(
                        .duplicateName,
                        "\(source), line \(number + 1): '\(round.branch)' is named twice")
                }
                return round
            }
    }
}

/// The tasks that an option names: a number, or a file with one in each line.
enum RoundTasks {
    static func read(_ text: String) throws -> [RoundTask] {
        if let count = Int(text) { return try RoundTask.numbered(count) }
        return try RoundTask.list(
            Terminal.read(text, limit: 256 << 20), source: text == "-" ? "standard input" : text)
    }
}
