internal import Elements
package import Objects
package import Snapshots

/// What a push takes from a store; simulations have histories in memory.
package protocol PushSource: Sendable {
    func has(_ commit: ObjectID) throws -> Bool
    func isAncestor(_ ancestor: ObjectID, of commit: ObjectID) throws -> Bool
    /// Whether some commit leads to both.
    func areRelated(_ left: ObjectID, _ right: ObjectID) throws -> Bool
    /// Commits of `ends` that lead to `tips` with no other between.
    func nearest(to tips: [ObjectID], among ends: Set<ObjectID>) throws -> [ObjectID]
    /// Where branches of remotes were when they were last seen, by `REMOTE/BRANCH`.
    func remoteBranches() throws -> [String: ObjectID]
    /// Calls `body` with what leads to `tips` and not to `known`; it is there as long as the call.
    func ship<Result>(
        _ tips: [ObjectID], without known: [ObjectID], _ body: (Parcel) throws -> Result
    ) throws -> Result
}

/// What one push sends.
package struct Parcel: Sendable {
    /// All but the names of packs.
    package let bundle: CommitBundle
    /// Objects whose data are sent.
    package let objects: Int
    /// Bytes of each record's bulk, about.
    package let sizes: [Int]
    /// One of the records, checked and taken apart; from any thread.
    package let parts: @Sendable (Int) throws -> PackParts

    package init(
        bundle: CommitBundle, objects: Int, sizes: [Int],
        parts: @escaping @Sendable (Int) throws -> PackParts
    ) {
        self.bundle = bundle
        self.objects = objects
        self.sizes = sizes
        self.parts = parts
    }
}

extension SnapshotStore: PushSource {
    package func has(_ commit: ObjectID) throws -> Bool {
        do {
            _ = try self.commit(commit)
            return true
        } catch let error as CambiumError where error.code == .notFound {
            return false
        }
    }

    package func areRelated(_ left: ObjectID, _ right: ObjectID) throws -> Bool {
        try !mergeBases(left, right).isEmpty
    }

    package func remoteBranches() throws -> [String: ObjectID] { try references().remotes }

    package func ship<Result>(
        _ tips: [ObjectID], without known: [ObjectID], _ body: (Parcel) throws -> Result
    ) throws -> Result {
        let shipment = try Shipment(self, of: tips, without: known)
        let records = shipment.records
        let result = try body(
            Parcel(bundle: shipment.bundle, objects: shipment.objects, sizes: shipment.sizes) {
                try records.check($0)
                return try records.parts($0)
            })
        _ = consume shipment
        return result
    }
}
