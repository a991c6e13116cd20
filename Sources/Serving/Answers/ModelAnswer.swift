internal import Cambium

/// A model that can be asked: a branch, a tag or another revision.
struct ModelAnswer: Encodable, Sendable {
    let id: String
    let object = "model"
    let created: Int64
    let owned_by = "cambium"
    /// The commit's id.
    let commit: String
    /// The first line of its message.
    let subject: String

    init(_ reference: ReferenceInfo) {
        id = reference.name
        created = reference.time
        commit = reference.id
        subject = reference.subject
    }

    init(_ name: String, _ commit: CommitInfo) {
        id = name
        created = commit.time
        self.commit = commit.id
        subject = String(commit.message.prefix { !$0.isNewline })
    }
}

struct ModelsAnswer: Encodable, Sendable {
    let object = "list"
    let data: [ModelAnswer]
}
