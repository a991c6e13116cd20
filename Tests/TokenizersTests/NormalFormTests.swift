import Foundation
import Testing

@testable import Tokenizers

@Suite("Normal forms")
struct NormalFormTests {
    /// See tools/golden/unicode.py, which writes them from Python's unicodedata.
    private static let lines: [[Substring]] = {
        let data = try? Data(contentsOf: GoldenCases.folder.appending(path: "normal-forms.txt"))
        return String(decoding: data ?? Data(), as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: " ")
        }
    }()

    private static func form(_ name: Substring) throws -> Normalizer.Form {
        try #require(["NFC": .nfc, "NFD": .nfd, "NFKC": .nfkc, "NFKD": .nfkd][name])
    }

    @Test("every assigned code point has the form that Python gives it")
    func codePoints() throws {
        let runs = try #require(Self.lines.first { $0[0] == "assigned" }).dropFirst()
        var blocks: [UInt32: [Unicode.Scalar]] = [:]
        for run in runs {
            let ends = try run.split(separator: "-").map { try #require(UInt32($0, radix: 16)) }
            for code in ends[0]...ends[1] {
                blocks[code >> 12, default: []].append(try #require(Unicode.Scalar(code)))
            }
        }
        var checked = 0
        for line in Self.lines where line[0] == "block" {
            let number = try #require(UInt32(line[2], radix: 16))
            let block = try #require(blocks[number])
            #expect(block.count == Int(line[3]))
            let form = try Self.form(line[1])
            let text = block.map { "<\(NormalForm.of(String($0), form))>" }.joined()
            #expect(digest(text) == UInt64(line[4], radix: 16), "\(line[1]) of block \(line[2])")
            checked += 1
        }
        #expect(checked > 100)
    }

    @Test("random texts have the forms that Python gives them")
    func texts() throws {
        var checked = 0
        for line in Self.lines where line[0] == "text" {
            let new = NormalForm.of(
                String(decoding: bytes(line[2]), as: UTF8.self), try Self.form(line[1]))
            #expect(Array(new.utf8) == bytes(line[3]), "\(line[1]) of \(line[2])")
            checked += 1
        }
        #expect(checked == 1200)
    }

    /// FNV-1a of 64 bits.
    private func digest(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    private func bytes(_ digits: Substring) -> [UInt8] {
        stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(digits.dropFirst($0).prefix(2), radix: 16)
        }
    }
}
