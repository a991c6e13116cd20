import Elements
import Objects
import Remotes
import Testing

@Suite("What a transport stores")
struct TransportBodyTests {
    @Test("a body counts its pieces and carries the digest of all of them")
    func pieces() {
        let body = TransportBody([1, 2, 3])
        #expect(body.count == 3)
        #expect(body.digest == ObjectID(hashing: [1, 2, 3]))
        let two = TransportBody(
            [MappedBytes(copying: [1]), MappedBytes(copying: [2, 3])], digest: body.digest)
        #expect(two.count == 3)
    }
}
