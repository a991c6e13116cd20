internal import FoundationEssentials

/// What names one answer: its id and when it was made.
struct AnswerMark: Sendable {
    let id: String
    let created: Int64

    init(_ prefix: String) {
        let number = UInt64.random(in: 0 ... .max)
        let digits = String(number, radix: 16)
        id = prefix + String(repeating: "0", count: 16 - digits.count) + digits
        created = Int64(Date().timeIntervalSince1970)
    }
}
