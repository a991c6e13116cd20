package import Elements

extension MappedBytes {
    /// The same bytes, kept by another owner instead, who must keep them mapped and unchanged.
    package func owned(by owner: any AnyObject & Sendable) -> MappedBytes {
        unsafe withUnsafeBytes { unsafe MappedBytes($0, owner: owner) }
    }
}
