import Glibc
import Snapshots
import TestSupport
import Testing

@Suite("Writing fixtures")
struct WriteFixture {
    /// Run with `CAMBIUM_WRITE_FIXTURE=1` once for each new format, before it ships.
    @Test(
        "the fixture of the current format is written",
        .enabled(
            if: unsafe getenv("CAMBIUM_WRITE_FIXTURE") != nil,
            "asked for by CAMBIUM_WRITE_FIXTURE"))
    func write() throws {
        try withScratchDirectory { scratch in
            try Fixture.write(format: Int(SnapshotStore.format), scratch: scratch)
        }
    }
}
