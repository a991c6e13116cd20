package import Elements
internal import Files
internal import Glibc
internal import Synchronization

/// A remote in a directory, which may lie on NFS or Lustre and be written from many machines.
///
/// A key is a file of that path below the directory, so no key may be the beginning of another up to a slash. Each file
/// is written under a name of its own (``NamelessFile``), synced, and then named in one step: by rename(2), or by link(2)
/// where it must be new. Links, pipes and devices in the directory are no keys; links are not followed.
package final class FileRemote: Transport {
    package let url: String
    private let root: String
    private let traffic: Traffic
    /// The file system's clock, and when it was looked at.
    private let clock = Mutex<(time: Int64, measured: ContinuousClock.Instant)?>(nil)

    /// Bytes that are written at once.
    private static let step = 1 << 20

    /// - Parameter root: An absolute path. It is made by the first write, if the folder above it is there.
    package init(_ root: String, traffic: Traffic = Traffic()) {
        self.root = root
        self.traffic = traffic
        url = "file://\(root)"
    }

    package func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
        try asked(key) { key -> MappedBytes? in
            try retrying { () -> MappedBytes? in
                guard let folder = try folder(of: key), let file = try folder.file(key.name) else {
                    return nil
                }
                let wanted = range ?? 0..<file.size
                guard wanted.upperBound <= file.size else {
                    throw CambiumError(
                        .network,
                        "\(url)/\(key.whole) has \(file.size) bytes, not those of \(wanted)")
                }
                guard wanted.count <= limit else {
                    throw CambiumError(
                        .network,
                        "\(url)/\(key.whole) has \(wanted.count) bytes, more than the \(limit) that it may have"
                    )
                }
                return try file.bytes(in: wanted) { try traffic.received($0) }
            }
        }
    }

    package func write(_ key: String, _ body: TransportBody) throws {
        try asked(key) { key in
            let folder = try madeFolder(of: key)
            try staged(body, in: folder).publish(as: key.name)
        }
    }

    package func create(_ key: String, _ body: TransportBody) throws -> Bool {
        try asked(key) { key in
            let folder = try madeFolder(of: key)
            return try staged(body, in: folder).publish(asNew: key.name)
        }
    }

    private func staged(_ body: TransportBody, in folder: OpenFolder) throws -> NamelessFile {
        let file = try NamelessFile(in: folder)
        for piece in body.pieces {
            for start in stride(from: 0, to: piece.count, by: Self.step) {
                let part = piece.slice(start..<min(piece.count, start + Self.step))
                try file.append(part.bytes)
                try traffic.sent(part.count)
            }
        }
        return file
    }

    package func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
        try asked(key) { key in
            guard let found = try retrying({ try folder(of: key)?.status(key.name) }) else {
                return nil
            }
            guard found.kind == .regular else {
                if found.kind == .folder { return nil }
                throw CambiumError(
                    .remote, "\(url)/\(key.whole) is \(found.kind.rawValue), not a regular file")
            }
            let entry = TransportEntry(key: key.whole, size: found.size, modified: found.modified)
            return (entry, try now())
        }
    }

    package func delete(_ key: String) throws {
        try asked(key) { key in try folder(of: key)?.remove(key.name) }
    }

    package func removeLeftovers(olderThan age: Int64) throws -> (count: Int, bytes: Int) {
        try told {
            try traffic.began()
            var removed = (count: 0, bytes: 0)
            guard let root = try OpenFolder(path: root) else { return removed }
            let latest = try now() - age
            var folders = [root]
            while let folder = folders.popLast() {
                for (name, isFolder) in try folder.contents() {
                    if isFolder {
                        guard TransportKey.isComponent(name) else { continue }
                        if let child = try child(folder, name) { folders.append(child) }
                    } else if NamelessFile.isLeftover(name), let found = try folder.status(name),
                        found.kind == .regular, found.modified <= latest
                    {
                        try folder.remove(name)
                        removed.count += 1
                        removed.bytes += found.size
                    }
                }
            }
            return removed
        }
    }

    package func list(_ prefix: String, after: String?) throws -> TransportListing {
        try TransportKey.check(prefix: prefix)
        return try told {
            try traffic.began()
            guard let root = try OpenFolder(path: root) else {
                return TransportListing(
                    entries: [], next: nil, now: Int64(time(nil)))
            }
            var walk = FolderWalk(prefix: prefix, after: after)
            try walk.visit(root, "")
            return TransportListing(
                entries: walk.entries, next: walk.isTruncated ? walk.entries.last?.key : nil,
                now: try now())
        }
    }
}

extension FileRemote {
    private struct Key {
        let whole: String
        let folders: ArraySlice<String>
        let name: String
    }

    private func asked<Result>(_ key: String, _ body: (Key) throws -> Result) throws -> Result {
        let parts = try TransportKey.components(of: key)
        guard let name = parts.last else { preconditionFailure("a key without components") }
        return try told {
            try traffic.began()
            return try body(Key(whole: key, folders: parts.dropLast(), name: name))
        }
    }

    private func folder(of key: Key) throws -> OpenFolder? {
        var folder = try OpenFolder(path: root)
        for name in key.folders { folder = try folder?.folder(name) }
        return folder
    }

    private func madeFolder(of key: Key) throws -> OpenFolder {
        if !fileExists(root) { try makeDirectory(root) }
        var folder = try OpenFolder(path: root)
        for name in key.folders { folder = try folder?.folder(name, making: true) }
        guard let folder else {
            throw CambiumError(.network, "\(url): a folder went away meanwhile; try again")
        }
        return folder
    }

    /// Once more when a file that was open has gone from the server that has it (ESTALE).
    private func retrying<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as CambiumError {
            guard error.code == .io else { throw error }
            return try body()
        }
    }

    /// Says in a transport's codes what a file call said.
    private func told<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as CambiumError {
            let code: CambiumError.Code =
                switch error.code {
                case .readOnly: .denied
                case .io, .truncated: .network
                case .notFound, .unsupported, .corrupt: .remote
                default: error.code
                }
            throw CambiumError(code, error.message, cause: error)
        }
    }

    /// The file system's own clock, by the time of a file that is written for it; of a directory that can only be read,
    /// this machine's.
    ///
    /// It is looked at once a minute: this machine's steady clock, which also runs while it sleeps, tells the rest.
    private func now() throws -> Int64 {
        let known = clock.withLock { $0 }
        if let known, .now - known.measured < .seconds(60) {
            return known.time + (.now - known.measured).components.seconds
        }
        do {
            guard let folder = try OpenFolder(path: root) else { return Int64(Glibc.time(nil)) }
            let file = try NamelessFile(in: folder)
            try file.append([0].raw)
            let found = try file.modified()
            clock.withLock { $0 = (found, .now) }
            return found
        } catch let error as CambiumError {
            guard error.code == .readOnly else { throw error }
            return Int64(Glibc.time(nil))
        }
    }
}

/// Nil also for a folder that something else has just taken the place of.
private func child(_ folder: OpenFolder, _ name: String) throws -> OpenFolder? {
    do {
        return try folder.folder(name)
    } catch let error as CambiumError {
        guard error.code == .unsupported else { throw error }
        return nil
    }
}

/// The first keys of a directory, in the order of their bytes.
private struct FolderWalk {
    let prefix: String
    let after: String?
    var entries: [TransportEntry] = []
    var isTruncated = false

    static let most = 1_000

    mutating func visit(_ folder: OpenFolder, _ above: String) throws {
        // A folder's keys go on with a slash, which sorts behind - and . but before letters.
        let names = try folder.contents().filter { TransportKey.isComponent($0.name) }
            .map { (whole: above + $0.name + ($0.isFolder ? "/" : ""), name: $0.name, $0.isFolder) }
            .filter { isWanted($0.whole, isFolder: $0.2) }
            .sorted { isBefore($0.whole, $1.whole) }
        for (whole, name, isFolder) in names {
            if isFolder {
                if let child = try child(folder, name) { try visit(child, whole) }
            } else if entries.count == Self.most {
                isTruncated = true
            } else if let found = try folder.status(name), found.kind == .regular {
                entries.append(
                    TransportEntry(key: whole, size: found.size, modified: found.modified))
            }
            if isTruncated { return }
        }
    }

    private func isWanted(_ whole: String, isFolder: Bool) -> Bool {
        let fits = whole.hasPrefix(prefix) || (isFolder && prefix.hasPrefix(whole))
        guard fits, let after else { return fits }
        return isBefore(after, whole) || (isFolder && after.hasPrefix(whole))
    }
}
