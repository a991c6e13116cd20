internal import Cambium
internal import FoundationEssentials

/// A model that can be asked: a branch, a tag or another revision.
struct ModelAnswer: Encodable, Sendable {
    let id: String
    let object = "model"
    let created: Int64
    let owned_by = "cambium"
    // As Anthropic's interface has it.
    let type = "model"
    let display_name: String
    let created_at: String
    /// The commit's id.
    let commit: String
    /// The first line of its message.
    let subject: String

    init(_ reference: ReferenceInfo) {
        id = reference.name
        display_name = reference.name
        created = reference.time
        created_at = Self.day(reference.time)
        commit = reference.id
        subject = reference.subject
    }

    init(_ name: String, _ commit: CommitInfo) {
        id = name
        display_name = name
        created = commit.time
        created_at = Self.day(commit.time)
        self.commit = commit.id
        subject = String(commit.message.prefix { !$0.isNewline })
    }

    private static func day(_ time: Int64) -> String {
        Date(timeIntervalSince1970: Double(time)).formatted(.iso8601)
    }
}

struct ModelsAnswer: Encodable, Sendable {
    let object = "list"
    let data: [ModelAnswer]
    let has_more = false
    let first_id: OrNull<String>
    let last_id: OrNull<String>

    init(_ data: [ModelAnswer]) {
        self.data = data
        first_id = OrNull(data.first?.id)
        last_id = OrNull(data.last?.id)
    }
}
