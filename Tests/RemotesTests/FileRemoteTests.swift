import Elements
import Files
import Glibc
import Remotes
import TestSupport
import Testing

@Suite("Remotes in a directory")
struct FileRemoteTests {
    private let body = TransportBody(Array("bytes".utf8))

    private func withRemote(_ body: (FileRemote, String) throws -> Void) throws {
        try withScratchDirectory { try body(FileRemote($0 + "/remote"), $0 + "/remote") }
    }

    @Test("the first write makes the directory, but none above it")
    func first() throws {
        try withScratchDirectory { (scratch) throws in
            let remote = FileRemote(scratch + "/remote")
            #expect(try remote.list("", after: nil).entries == [])
            #expect(!fileExists(scratch + "/remote"))
            #expect(try remote.create("a/b", body))
            #expect(try listDirectory(scratch + "/remote/a") == ["b"])
            let error = #expect(throws: CambiumError.self) {
                try FileRemote(scratch + "/no/remote").write("a", body)
            }
            #expect(error?.code == .remote)
            #expect(error?.message.contains("\(scratch)/no") == true)
        }
    }

    @Test("links, pipes and what dead writers left are no keys, and are not followed")
    func strangers() throws {
        try withRemote { (remote, root) throws in
            try remote.write("packs/real", body)
            try makeDirectory(root + "/../outside")
            try writeFile(Array("secret".utf8), to: root + "/../outside/secret")
            #expect(unsafe symlink(root + "/../outside/secret", root + "/packs/link") == 0)
            #expect(unsafe symlink(root + "/../outside", root + "/elsewhere") == 0)
            #expect(unsafe mkfifo(root + "/packs/pipe", 0o666) == 0)
            try writeFile([1], to: root + "/packs/.cambium-dead.tmp")
            try writeFile([1], to: root + "/packs/not a key")
            #expect(try remote.list("", after: nil).entries.map(\.key) == ["packs/real"])
            for key in ["packs/link", "packs/pipe", "elsewhere/secret"] {
                let error = #expect(throws: CambiumError.self) {
                    try remote.read(key, nil, limit: 100)
                }
                #expect(error?.code == .remote, "\(key)")
            }
            #expect(code { try remote.entry("packs/pipe") } == .remote)
            #expect(code { try remote.write("elsewhere/new", body) } == .remote)
            #expect(code { try remote.delete("elsewhere/secret") } == .remote)
            // A name that is taken is taken, whatever has it; a write takes its place.
            #expect(try !remote.create("packs/link", body))
            try remote.write("packs/link", body)
            try remote.delete("packs/pipe")
            #expect(
                try remote.list("", after: nil).entries.map(\.key) == ["packs/link", "packs/real"])
            #expect(try listDirectory(root + "/../outside") == ["secret"])
            #expect(try readFile(root + "/../outside/secret", limit: 10) == Array("secret".utf8))
            #expect(NamelessFile.isLeftover(".cambium-dead.tmp"))
        }
    }

    @Test("what dead writers left is removed by a collection, when it is older than the grace")
    func leftovers() throws {
        try withRemote { (remote, root) throws in
            try remote.write("packs/real", body)
            try makeDirectory(root + "/../outside")
            #expect(unsafe symlink(root + "/../outside", root + "/packs/elsewhere") == 0)
            func leave(_ path: String, hours: Int) throws {
                try writeFile([1, 2, 3], to: path)
                let then = timespec(tv_sec: time(nil) - hours * 3_600, tv_nsec: 0)
                #expect(unsafe utimensat(AT_FDCWD, path, [then, then], 0) == 0)
            }
            let old = [".cambium-a.tmp", "packs/.cambium-b.tmp"].map { "\(root)/\($0)" }
            for path in old { try leave(path, hours: 25) }
            let kept = [
                "packs/.cambium-young.tmp", "packs/.cambium-other", "packs/mine.tmp",
                "../outside/.cambium-c.tmp",
            ].map { "\(root)/\($0)" }
            for path in kept { try leave(path, hours: path.contains("young") ? 23 : 25) }

            let collection = try RemoteCollection(
                Remote(remote), grace: RemoteCollection.shortestGrace)
            #expect(try collection.run(prune: false).removed.keys == 0)
            #expect(old.allSatisfy(fileExists))
            let removed = try collection.run(prune: true).removed
            #expect(removed.keys == 2 && removed.bytes == 6)
            #expect(!old.contains(where: fileExists))
            #expect(kept.allSatisfy(fileExists))
            #expect(try remote.read("packs/real", nil, limit: 100)?.copy() == body.joined.copy())
            #expect(try FileRemote(root + "/none").removeLeftovers(olderThan: 0).count == 0)
        }
    }

    @Test("a key below another, and one that is a folder, are refused")
    func folders() throws {
        try withRemote { (remote, _) throws in
            try remote.write("a", body)
            #expect(code { try remote.write("a/b", body) } == .remote)
            #expect(code { try remote.read("a/b", nil, limit: 100) } == .remote)
            try remote.write("c/d", body)
            #expect(code { try remote.write("c", body) } != nil)
            #expect(try !remote.create("c", body))
            #expect(try remote.list("", after: nil).entries.map(\.key) == ["a", "c/d"])
        }
    }

    @Test("a name that was made although its answer was lost is told by the file's own names")
    func lostAnswer() throws {
        try withScratchDirectory { (scratch) throws in
            let folder = try #require(try OpenFolder(path: scratch))
            func attempt(_ name: String, _ linked: (String) throws -> Void) throws -> Bool {
                let file = try NamelessFile(in: folder)
                try file.append([1, 2, 3].raw)
                let own = try #require(
                    try listDirectory(scratch).first { NamelessFile.isLeftover($0) })
                try linked("\(scratch)/\(own)")
                return try file.publish(asNew: name)
            }
            // As a server of NFS does that is asked for the link twice.
            let isOurs = try attempt("mine") { own in
                #expect(unsafe link(own, scratch + "/mine") == 0)
            }
            #expect(isOurs)
            let isAgain = try attempt("mine") { _ in }
            #expect(!isAgain)
            #expect(try listDirectory(scratch) == ["mine"])
            #expect(try readFile(scratch + "/mine", limit: 3) == [1, 2, 3])
        }
    }

    @Test("the clock is that of the file system")
    func clock() throws {
        try withRemote { (remote, _) throws in
            try remote.write("a", body)
            let listing = try remote.list("", after: nil)
            #expect(abs(listing.now - (listing.entries.first?.modified ?? 0)) <= 2)
            #expect(try listDirectory(remote.url.replacing("file://", with: "")) == ["a"])
        }
    }

    @Test(
        "each failing call leaves all of a key or nothing, and no other names",
        arguments: [EIO, ENOSPC])
    func failing(_ number: Int32) throws {
        func attempt(_ at: Int, _ scratch: String, _ isCreate: Bool) throws -> (Bool, Int) {
            let remote = FileRemote(scratch + "/remote")
            let run = try failingCall(at, in: scratch, error: number) { () -> Bool in
                do {
                    if isCreate {
                        #expect(try remote.create("x/key", body))
                    } else {
                        try remote.write("x/key", body)
                    }
                    return true
                } catch let error as CambiumError {
                    #expect(error.code == (number == EIO ? .network : .diskFull))
                    return false
                }
            }
            let found = try remote.read("x/key", nil, limit: 100)?.copy()
            #expect(found == body.joined.copy() || (!run.result && found == nil))
            #expect(try remote.list("", after: nil).entries.count == (found == nil ? 0 : 1))
            return (run.result, run.calls)
        }
        for isCreate in [true, false] {
            let calls = try withScratchDirectory { try attempt(0, $0, isCreate).1 }
            #expect(calls >= 8)
            for at in 1...calls {
                try withScratchDirectory { (scratch) throws in
                    _ = try attempt(at, scratch, isCreate)
                    // Whatever it left does not stand in the way of the next.
                    try FileRemote(scratch + "/remote").write("x/key", body)
                }
            }
        }
    }
}
