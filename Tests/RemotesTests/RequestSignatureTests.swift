import Objects
import Testing

@testable import Remotes

@Suite("Signatures and times of S3")
struct RequestSignatureTests {
    /// The credentials and the moment of the examples of Amazon's page "Signature Calculations for the Authorization
    /// Header".
    private let signature = RequestSignature(
        credentials: Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            sessionToken: nil), region: "us-east-1")
    private let moment: Int64 = 1_369_353_600

    private func signed(
        _ method: String, _ path: String, _ query: [(String, String)],
        _ headers: [(String, String)],
        _ digest: ObjectID = ObjectID(hashing: [])
    ) -> String? {
        signature.headers(
            method, host: "examplebucket.s3.amazonaws.com", path: path, query: query,
            headers: headers,
            digest: digest, now: moment
        ).first { $0.name == "authorization" }?.value.split(separator: "=").last.map(String.init)
    }

    @Test("are those of Amazon's examples")
    func examples() {
        #expect(
            signed("GET", "/test.txt", [], [("range", "bytes=0-9")])
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            signed("GET", "/", [("prefix", "J"), ("max-keys", "2")], [])
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
        #expect(
            signed(
                "PUT", "/test%24file.text", [],
                [
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                ObjectID(hashing: Array("Welcome to Amazon S3.".utf8)))
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test(
        "moments are read as they are written",
        arguments: [
            ("20130524T000000Z", 1_369_353_600), ("19700101T000000Z", 0),
            ("20000229T235959Z", 951_868_799),
            ("20240301T120000Z", 1_709_294_400), ("21000228T235959Z", 4_107_542_399),
        ] as [(String, Int64)])
    func times(_ text: String, _ seconds: Int64) {
        #expect(ServerTime.basic(seconds) == text)
        let parts = Array(text)
        func part(_ range: Range<Int>) -> String { String(parts[range]) }
        let day = "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))"
        let time = "\(part(9..<11)):\(part(11..<13)):\(part(13..<15))"
        #expect(ServerTime.internet("\(day)T\(time)Z") == seconds)
        #expect(ServerTime.internet("\(day)T\(time).123456Z") == seconds)
        #expect(ServerTime.internet("\(day)T\(time)+01:00") == nil)
    }

    @Test(
        "other spellings of moments are none",
        arguments: ["", "now", "2026-11-30", "T", "2026-11-30T8Z", "2026-11-30T08:61:00Z"])
    func noTimes(_ text: String) {
        #expect(ServerTime.internet(text) == nil)
        #expect(ServerTime.http(text) == nil)
        #expect(ServerTime.http("Mon, 30 Nov 2026 08:10:20 CET") == nil)
        #expect(ServerTime.http("Mon, 30 Nov 2026 08:10:20 GMT") == 1_796_026_220)
    }

    @Test("waiting grows, is asked for, and ends")
    func retries() {
        var policy = RetryPolicy()
        policy.attempts = 5
        let now = ContinuousClock.now
        for attempt in 1..<5 {
            let most = Duration.milliseconds(100 << (attempt - 1))
            for _ in 0..<50 {
                let delay = policy.delay(after: attempt, asked: nil, since: now)
                #expect(delay.map { $0 >= .zero && $0 <= most } == true)
            }
        }
        #expect(policy.delay(after: 5, asked: nil, since: now) == nil)
        #expect(policy.delay(after: 1, asked: .seconds(3), since: now) == .seconds(3))
        #expect(policy.delay(after: 1, asked: .seconds(100), since: now) == nil)
        #expect(policy.delay(after: 1, asked: nil, since: now - .seconds(100)) == nil)
    }
}
