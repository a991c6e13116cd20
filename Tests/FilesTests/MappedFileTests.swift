import Elements
import Files
import Foundation
import TestSupport
import Testing

@Suite("Mapped files")
struct MappedFileTests {
    @Test("pages are mapped at once; that the file ends before is told, and is no signal")
    func populate() throws {
        try withScratchDirectory { directory in
            let path = directory + "/file"
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try Data(bytes).write(to: URL(filePath: path))
            let file = try MappedFile(path: path)
            let start = file.bytes.address
            #expect(MappedBytes.populate(start + 5..<start + 299_999))
            #expect(file.bytes.copy() == bytes)
            // Given back, they come again.
            MappedBytes.release(start..<start + 300_000)
            #expect(MappedBytes.populate(start + 299_999..<start + 300_000))
            #expect(file.bytes.copy() == bytes)
            #expect(unsafe truncate(path, 100_000) == 0)
            #expect(!MappedBytes.populate(start + 50_000..<start + 200_000))
            #expect(MappedBytes.populate(start..<start + 50_000))
        }
    }
}
