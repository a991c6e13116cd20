internal import Objects

/// One thing that is wrong with a store.
package struct VerificationFault: Sendable {
    /// What is at fault, for example "object 3fa9…", "pack 7", "branch main".
    package let subject: String
    package let message: String
}

/// What a verification looked at and found.
package struct VerificationReport: Sendable {
    package var objects = 0
    package var bytes = 0
    package var packs = 0
    package var commits = 0
    package var arrays = 0
    package var references = 0
    package var faults: [VerificationFault] = []

    mutating func fault(_ subject: String, _ message: String) {
        faults.append(VerificationFault(subject: subject, message: message))
    }
}
