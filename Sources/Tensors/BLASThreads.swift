internal import COpenBLAS

/// The threads of OpenBLAS: one setting for the whole process.
package enum BLASThreads {
    /// The corresponding C function is `openblas_get_num_threads`.
    package static var count: Int { Int(openblas_get_num_threads()) }

    /// Sets how many threads one product may use.
    ///
    /// Call it while no product runs; OpenBLAS itself decides to use fewer for small products. The corresponding C function is
    /// `openblas_set_num_threads`.
    package static func set(_ count: Int) {
        precondition((1...1024).contains(count), "\(count) BLAS threads; give 1 to 1024")
        openblas_set_num_threads(Int32(count))
    }
}
