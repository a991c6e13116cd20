/// The version that a new object takes the place of: what it may be stored as a difference from.
package enum Predecessor: Sendable, Hashable {
    case object(ObjectID)
    /// As an expert array tells it.
    case place(Location, check: UInt32)
}
