internal import Elements
package import Objects

/// One entry of the log of a remote's branch or tag.
package struct ReferenceEntry: Sendable, Equatable {
    /// A bundle, how many commits it has, and its bytes.
    package struct Bundle: Sendable, Hashable {
        package let id: ObjectID
        package let commits: Int
        package let bytes: Int

        package init(id: ObjectID, commits: Int, bytes: Int) {
            self.id = id
            self.commits = commits
            self.bytes = bytes
        }
    }

    /// Nil for a branch that was removed.
    package var commit: ObjectID?
    /// Whose entry this is: 32 random hexadecimal digits.
    package var write: String
    /// By the clock of who wrote it: seconds since 1970.
    package var time: Int64
    package var author: String
    /// Bundles that together have the commit and all that leads to it, older ones first.
    package var bundles: [Bundle]

    package init(
        commit: ObjectID?, write: String, time: Int64, author: String, bundles: [Bundle]
    ) {
        self.commit = commit
        self.write = write
        self.time = time
        self.author = author
        self.bundles = bundles
    }

    /// More bytes are no entry.
    package static let greatestSize = 1 << 20

    package var encoded: [UInt8] {
        var text = Array(#"{"version":1,"commit":"#.utf8)
        if let commit { appendJSON(commit.hex, to: &text) } else { text += Array("null".utf8) }
        text += Array(#","write":"#.utf8)
        appendJSON(write, to: &text)
        text += Array(#","time":"#.utf8)
        appendJSON(Int(time), to: &text)
        text += Array(#","author":"#.utf8)
        appendJSON(author, to: &text)
        text += Array(#","bundles":["#.utf8)
        for (index, bundle) in bundles.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text += Array(#"["\#(bundle.id.hex)",\#(bundle.commits),\#(bundle.bytes)]"#.utf8)
        }
        return text + Array("]}\n".utf8)
    }

    /// - Throws: `corrupt`.
    package init(decoding bytes: [UInt8], _ key: String) throws {
        let json = try JSONValue(parsing: bytes, source: key, code: .corrupt)
        func fail(_ problem: String) -> CambiumError {
            CambiumError(.corrupt, "\(key) of the remote \(problem): it is damaged")
        }
        guard json["version"]?.integer == 1 else {
            throw fail("has a version that this program does not know (1)")
        }
        if json["commit"] == .null {
            commit = nil
        } else {
            guard let id = json["commit"]?.string.flatMap({ ObjectID(hex: $0) }) else {
                throw fail("names no commit")
            }
            commit = id
        }
        guard let write = json["write"]?.string, write.utf8.count <= 64,
            let time = json["time"]?.integer, let author = json["author"]?.string,
            let list = json["bundles"]?.array
        else { throw fail("lacks a field") }
        bundles = try list.map { item in
            guard let parts = item.array, parts.count == 3,
                let id = parts[0].string.flatMap({ ObjectID(hex: $0) }),
                let commits = parts[1].integer, (1...Int(Int32.max)).contains(commits),
                let bytes = parts[2].integer, (1...1 << 40).contains(bytes)
            else { throw fail("names a bundle that is none") }
            return Bundle(id: id, commits: commits, bytes: bytes)
        }
        self.write = write
        self.time = Int64(time)
        self.author = author
    }
}
