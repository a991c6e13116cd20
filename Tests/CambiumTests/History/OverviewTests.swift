import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("A store at a glance")
struct OverviewTests {
    @Test("an overview has the figures of the statistics, and reads no history")
    func history() throws {
        try withStore { snapshots in
            var model = SyntheticModel.sample(experts: 20)
            for step in 0..<5 {
                model.files["config.json"] = Array("{\"step\":\(step)}".utf8)
                try snapshots.commit(model, time: Int64(step))
            }
            try snapshots.createReference(
                .tag, "v1", at: snapshots.resolve("main~2"), by: .sample)
            let store = Store(snapshots, snapshots.directory)
            let (whole, glance) = (try store.statistics(), try store.overview())
            #expect(whole.commits == 5 && whole.logicalBytes == 5 * glance.headBytes)
            #expect(glance.objects == whole.objects && glance.packs == whole.packs)
            #expect(glance.branches == 1 && glance.tags == 1 && glance.format == whole.format)
            #expect(glance.fileBytes == whole.fileBytes && glance.freeBytes == whole.freeBytes)
            // The pack of a commit in the middle goes: who reads the history notices.
            try snapshots.losePack(3)
            #expect(throws: CambiumError.self) { try store.statistics() }
            let after = try store.overview()
            #expect(after.headBytes == glance.headBytes && after.packs == glance.packs - 1)
        }
    }
}
