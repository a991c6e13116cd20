/// What the policy `solve` takes besides the sides.
package struct SolveSettings {
    /// Texts besides the excerpts that sides and base keep: of a side by any of its names, of the base by `base` or a
    /// name of its commit.
    package let texts: [(name: String, file: String, bytes: [UInt8])]
    /// Threads that run the models; the bits do not depend on it.
    package let threads: Int
    /// Bytes of memory that the process may have; nil for no limit.
    package let memoryLimit: Int?
    /// Whether every version of a changed expert is kept, so that layers get more experts.
    package let keepsVersions: Bool

    package init(
        texts: [(name: String, file: String, bytes: [UInt8])] = [], threads: Int = 1,
        memoryLimit: Int? = nil, keepsVersions: Bool = false
    ) {
        self.texts = texts
        self.threads = threads
        self.memoryLimit = memoryLimit
        self.keepsVersions = keepsVersions
    }
}
