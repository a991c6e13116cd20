import Testing

@testable import CambiumCommand

@Suite("Pictures of letters")
struct TextPictureTests {
    @Test("a bar has its width, and is never empty for a share above nothing")
    func bars() {
        #expect(TextPicture.bar(0.5, width: 4, isUnicode: true) == "██··")
        #expect(TextPicture.bar(0, width: 4, isUnicode: true) == "····")
        #expect(TextPicture.bar(0.0001, width: 4, isUnicode: true) == "▏···")
        #expect(TextPicture.bar(1, width: 4, isUnicode: true) == "████")
        #expect(TextPicture.bar(0.3, width: 10, isUnicode: false) == "###.......")
        for share in [-1, 2, .nan, .infinity] {
            #expect(TextPicture.bar(share, width: 4, isUnicode: true).count <= 4)
        }
    }

    @Test("a course has as many letters as there is room or numbers")
    func courses() {
        #expect(TextPicture.course([1, 2, 3, 4], width: 8, isUnicode: true) == "▁▃▆█")
        #expect(TextPicture.course([4, 4], width: 8, isUnicode: true) == "▄▄")
        #expect(TextPicture.course([1], width: 8, isUnicode: true) == "")
        #expect(TextPicture.course([1, 2], width: 8, isUnicode: false) == "")
        #expect(TextPicture.course([1, .nan, 2], width: 8, isUnicode: true) == "▁█")
        #expect(
            TextPicture.course(Array(repeating: 1, count: 9_000) + [2], width: 8, isUnicode: true)
                .count == 8)
    }
}
