import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Notes")
struct NoteTests {
    private func note(
        _ commit: ObjectID, time: Int64 = 5, _ text: String = "", _ metrics: [String: Double] = [:]
    ) -> Note {
        Note(commit: commit, time: time, author: "Ada", text: text, metrics: metrics)
    }

    @Test("a note's bytes are read back, and nothing else is")
    func coding() throws {
        let id = ObjectID(hashing: [1])
        let whole = Note(
            commit: id, time: -3, author: "Ada", text: "wörds\n",
            metrics: ["b": .infinity, "a": 1],
            series: ["loss": [.init(step: 1, value: 2), .init(step: 9, value: 0.5)], "none": []])
        #expect(try Note(decoding: whole.encoded) == whole)
        #expect(whole.id != note(id).id)
        for count in 0..<whole.encoded.count {
            #expect(throws: CambiumError.self) {
                try Note(decoding: Array(whole.encoded.prefix(count)))
            }
        }
        #expect(throws: CambiumError.self) { try Note(decoding: whole.encoded + [0]) }
        var unsorted = note(id, "", ["a": 1, "b": 2]).encoded
        let first = try #require(unsorted.firstIndex(of: UInt8(ascii: "a")))
        let second = try #require(unsorted.lastIndex(of: UInt8(ascii: "b")))
        unsorted.swapAt(first, second)
        #expect(throws: CambiumError.self) { try Note(decoding: unsorted) }
    }

    @Test("notes are a set by content, sorted by time; the commit's id and tree stay")
    func set() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6)).id
            let notes = [
                note(second, time: 9, "late"), note(second, time: 2, "early"),
                note(second, time: 2, "early too", ["acc": 0.5]), note(first),
            ]
            try store.add(notes)
            try store.add(Array(notes.reversed()))
            #expect(try store.notes(of: second).map(\.time) == [2, 2, 9])
            #expect(Set(try store.notes(of: second).map(\.id)) == Set(notes.prefix(3).map(\.id)))
            #expect(try store.notes(of: first) == [notes[3]])
            #expect(try store.notes(of: [first, second])[second]?.count == 3)
            let many = (0..<100).map { ObjectID(hashing: [$0]) } + [second]
            #expect(try store.notes(of: many) == [second: store.notes(of: second)])
            #expect(try store.references().branches["main"] == second)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a note is about a commit that is there")
    func missing() throws {
        try withStore { store in
            let commit = try store.commit(.sample(experts: 5)).id
            let tree = try store.commit(commit).tree
            for id in [ObjectID(hashing: [9]), tree] {
                #expect(
                    code {
                        try store.add([note(commit, "good"), note(id)])
                    } == .notFound)
            }
            #expect(try store.notes(of: commit).isEmpty)
        }
    }

    @Test("a note is dropped by the beginning of its id")
    func drop() throws {
        try withStore { store in
            let commit = try store.commit(.sample(experts: 5)).id
            let notes = (0..<40).map { note(commit, "\($0)") }
            try store.add(notes)
            #expect(
                code { try store.dropNote("", of: commit) } == .notFound
            )
            #expect(
                code { try store.dropNote("xyz", of: commit) }
                    == .notFound)
            let shared = Dictionary(grouping: notes.map(\.id.hex)) { $0.prefix(1) }
                .first { $0.value.count > 1 }
            let digit = String(try #require(shared).key)
            #expect(
                code { try store.dropNote(digit, of: commit) }
                    == .ambiguous)
            #expect(
                try store.dropNote(String(notes[3].id.hex.prefix(12)), of: commit) == notes[3].id)
            #expect(try store.notes(of: commit).count == 39)
        }
    }

    @Test("a collection takes the notes of commits that go, and leaves the others")
    func collected() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6)).id
            try store.add([note(first, "stays"), note(second, "goes"), note(second, "as well")])
            try store.moveReference(.branch, "main", from: second, to: first, by: .sample)
            #expect(try store.collect(prune: false, now: 2_000, grace: 10).deadNotes == 2)
            #expect(try store.notes(of: second).count == 2)
            #expect(try store.collect(prune: true, now: 2_000, grace: 10).deadNotes == 2)
            #expect(try store.notes(of: second).isEmpty && store.notes(of: first).count == 1)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("an amended commit has copies of the notes, and the old one keeps its own")
    func amended() throws {
        try withStore { store in
            let old = try store.commit(.sample(experts: 5)).id
            try store.add([note(old, "true of both")])
            let new = try store.amend("main", at: old, by: .sample) { $0.message = "x" }
            #expect(try store.notes(of: new).map(\.text) == ["true of both"])
            #expect(try store.notes(of: old).map(\.text) == ["true of both"])
        }
    }

    @Test("a note that is damaged, moved or about nothing is found, and is not served")
    func damaged() throws {
        try withStore { store in
            let commit = try store.commit(.sample(experts: 5)).id
            let whole = note(commit, "words")
            try store.add([whole])
            #expect(try store.faults().isEmpty)
            let key = commit.bytes + whole.id.bytes
            let table = store.environment.table(SnapshotStore.noteTable)
            let stored = try #require(
                try store.environment.read { transaction in
                    try transaction.value(table, key)
                })
            for bit in stride(from: 0, to: 8 * stored.count, by: 7) {
                var bytes = stored
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                try store.environment.write("test") { transaction in
                    try transaction.put(table, key, bytes)
                }
                #expect(try store.faults().contains { $0.hasPrefix("notes: ") })
                #expect(
                    code { try store.notes(of: commit) } == .corrupt)
            }
            let lost = note(ObjectID(hashing: [7]), "about nothing")
            try store.environment.write("test") { transaction in
                try transaction.put(table, key, stored)
                try transaction.putChecked(
                    table, lost.commit.bytes + lost.id.bytes, lost.encoded)
            }
            #expect(try store.faults().count == 1)
        }
    }

    @Test("the notes of two stores unite, in any order, as far as both have the commits")
    func united() throws {
        try withStore { left in
            try withStore { right in
                let shared = try left.commit(.sample(experts: 5)).id
                #expect(try right.commit(.sample(experts: 5)).id == shared)
                let own = try right.commit(.sample(experts: 6)).id
                let notes = (0..<3).map { note(shared, time: Int64($0), "\($0)") }
                try left.add([notes[0], notes[1]])
                try right.add([notes[1], notes[2], note(own, "not there")])
                #expect(try left.uniteNotes(with: right) == 1)
                #expect(try left.uniteNotes(with: right) == 0)
                #expect(try right.uniteNotes(with: left) == 1)
                #expect(try left.notes(of: shared) == notes && right.notes(of: shared) == notes)
                #expect(try left.notes(of: own).isEmpty && right.notes(of: own).count == 1)
                #expect(try left.faults().isEmpty && right.faults().isEmpty)
            }
        }
    }
}
