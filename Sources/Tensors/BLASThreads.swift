internal import COpenBLAS

/// The threads of OpenBLAS: one setting for the whole process.
package enum BLASThreads {
    /// The corresponding C function is `openblas_get_num_threads`.
    package static var count: Int { Int(cambium_blas_threads()) }

    /// Why OpenBLAS cannot be used: it is not installed, or this process may not have its memory.
    ///
    /// Nil when it is there. It is loaded at the first question; without it products are right, but slow.
    package static var failure: String? {
        unsafe cambium_blas_failure().map { unsafe String(cString: $0) }
    }

    /// Once in the life of the process: a product takes one thread, since the bits of one that several share
    /// depend on how many they are, and what runs at the same time has threads of its own.
    private static let oneEach: Void = cambium_blas_set_threads(1)

    /// Called before every product whose bits training keeps.
    static func settle() { oneEach }

    /// Sets how many threads one product may use, for measurements.
    ///
    /// Call it while no product runs; OpenBLAS itself decides to use fewer for small products. The corresponding C function is
    /// `openblas_set_num_threads`.
    package static func set(_ count: Int) {
        precondition((1...1024).contains(count), "\(count) BLAS threads; give 1 to 1024")
        settle()
        cambium_blas_set_threads(Int32(count))
    }
}
