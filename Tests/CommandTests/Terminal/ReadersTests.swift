import Cambium
import Elements
import Foundation
import KeyValue
import Snapshots
import Synchronization
import Testing

/// Whether a writer is before its transaction (0), inside (1), or may end it (2).
private final class Turn: Sendable {
    let state = Atomic(0)
}

/// Whether this process may become another user, and mount: as root in most containers.
private let isRoot =
    geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
private let canMountOverlay: Bool = {
    guard isRoot, let session = try? Session() else { return false }
    let run = try? session.shell(
        "mkdir l u w m && unshare -m mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m")
    return run?.status == 0
}()

/// Reading commands neither wait nor write.
@Suite("Readers")
struct ReadersTests {
    private static let reading = [
        "log", "ls main", "show main", "cat main:config.json", "status", "stats",
        "diff main~0 main",
        "branch", "tag", "reflog", "verify", "gc", "generate main --prompt abc -n 3",
        "route main --prompt abc", "export main out --force",
    ]

    private func nobody(_ line: String) -> String {
        "setpriv --reuid=65534 --regid=65534 --clear-groups \(line)"
    }

    @Test("a writer that is stopped inside its transaction holds nobody up")
    func stoppedWriter() throws {
        let session = try Session.base()
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        let store = try Store(session.path("S"))
        let turn = Turn()
        let writer = Background {
            try? store.snapshots.environment.write("test") { _ in
                turn.state.store(1, ordering: .releasing)
                while turn.state.load(ordering: .acquiring) != 2 { usleep(1_000) }
            }
        }
        while turn.state.load(ordering: .acquiring) != 1 { usleep(1_000) }
        for line in Self.reading {
            let run = try session.shell("timeout -s KILL 60 \"$cambium\" \(line)")
            #expect(run.status == 0, "\(line): \(run.status) \(run.errors)")
        }
        turn.state.store(2, ordering: .releasing)
        writer.wait()
        try session.expect("commit", "next", "-m", "next")
    }

    @Test(
        "another user reads what the owner allows, and is told what that is", .enabled(if: isRoot))
    func otherUser() throws {
        let session = try Session.base()
        // The program, and the way to the store, as others reach them.
        let program = try session.shell("cp \"$cambium\" p && chmod a+rx . p && mkdir -m 777 home")
        #expect(program.status == 0)
        for line in ["log", "export main out"] {
            let run = try session.shell("cd home && \(nobody("../p")) \(line)")
            #expect(
                run.status == 1 && run.errors.contains("chmod a+rw \(session.path("S"))/lock.mdb"))
        }
        _ = try session.shell("chmod a+rw S/lock.mdb")
        #expect(try session.shell("cd home && \(nobody("../p")) log").status == 0)
        let export = try session.shell("cd home && \(nobody("../p")) export main out")
        #expect(
            export.status == 1 && export.errors.contains("chmod a+rwxt \(session.path("S"))/leases")
        )
        _ = try session.shell("chmod a+rwxt S/leases")
        let before = try Data(contentsOf: URL(fileURLWithPath: session.path("S/data.mdb")))
        for line in Self.reading {
            let run = try session.shell("cd home && \(nobody("../p")) \(line)")
            #expect(run.status == 0, "\(line): \(run.errors)")
        }
        let tag = try session.shell("cd home && \(nobody("../p")) tag v1")
        #expect(tag.status == 1 && tag.errors.contains("error:"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: session.path("S/data.mdb"))) == before)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: session.path("S/leases")).isEmpty)
    }

    @Test("a store on a read-only mount is read, by another user too", .enabled(if: isRoot))
    func readOnlyMount() throws {
        let session = try Session.base()
        let lines = Self.reading.flatMap { line in
            [nobody("$D/p"), "$D/p"].map {
                "\($0) \(line) >/dev/null || echo \"FAILED: \($0) \(line)\" >&2"
            }
        }
        let run = try session.shell(
            """
            cp "$cambium" p && chmod a+rx . p && mkdir -m 777 home && rm S/lock.mdb
            export D=$PWD
            cat > lines <<'END'
            mount --bind -o ro S S || mount -o remount,ro,bind S || exit 77
            cd home
            \(lines.joined(separator: "\n"))
            END
            unshare -m bash lines
            """)
        #expect(run.status != 77 && !run.errors.contains("FAILED"), "\(run.errors)")
    }

    @Test("reading through an overlay copies no data up", .enabled(if: canMountOverlay))
    func overlay() throws {
        let session = try Session.base()
        let lines = Self.reading.map {
            "$cambium -C m \($0) >/dev/null || echo \"FAILED: \($0)\" >&2"
        }
        let run = try session.shell(
            """
            mkdir u w m
            cat > lines <<'END'
            mount -t overlay overlay -o lowerdir=S,upperdir=u,workdir=w m
            \(lines.joined(separator: "\n"))
            END
            unshare -m bash lines
            ls u
            """)
        #expect(run.status == 0 && !run.errors.contains("FAILED"), "\(run.errors)")
        #expect(!run.lines.contains("data.mdb"), "\(run.text)")
    }
}
