package import Elements
internal import KeyValue
internal import Objects

/// One thing that is wrong with a store.
package struct VerificationFault: Sendable {
    /// What is at fault, for example "object 3fa9…", "pack 7", "branch main".
    package let subject: String
    package fileprivate(set) var message: String
    /// What its owners are looked for by, or nil.
    let about: DamageOwners.Subject?
}

/// What a verification looked at and found.
package struct VerificationReport: Sendable {
    package var objects = 0
    package var bytes = 0
    package var packs = 0
    /// Objects whose data, or what they are differences from, lie on a remote and were not read.
    package var promisedObjects = 0
    /// Bytes of these.
    package var promisedBytes = 0
    /// Why no more was read of a remote.
    package var remoteFailure: CambiumError?
    package var commits = 0
    package var arrays = 0
    package var references = 0
    package var faults: [VerificationFault] = []
    /// Where damaged objects lie in packs that can be read.
    var damagedPlaces: [Location: ObjectID] = [:]

    /// Counts a pack that was not read.
    mutating func promised(_ pack: Pack) {
        promisedObjects += pack.count
        for run in pack.headerRuns { promisedBytes += run.header.payloadCount * run.count }
    }

    mutating func fault(
        _ subject: String, _ message: String, about: DamageOwners.Subject? = nil
    ) {
        faults.append(VerificationFault(subject: subject, message: message, about: about))
    }

    /// Says of each damaged object what it is, and which revisions and branches have it.
    mutating func nameOwners(
        packs: [UInt32: Pack], _ roots: [ObjectID], _ transaction: borrowing ReadTransaction
    ) {
        let subjects = Set(faults.compactMap(\.about))
        guard !subjects.isEmpty else { return }
        let owners = DamageOwners(subjects, places: damagedPlaces, packs: packs, roots, transaction)
        for index in faults.indices {
            guard let about = faults[index].about, let text = owners.text(about) else { continue }
            let verb = if case .object = about { "it is" } else { "it holds" }
            faults[index].message += "; \(verb) \(text)"
        }
    }
}
