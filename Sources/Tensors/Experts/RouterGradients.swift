internal import CKernels

extension TrainingKernels {
    /// The shape of a product-key router.
    package struct KeySizes: Sendable {
        package let heads: Int
        /// Of sub-keys: 1 that all heads share, or one for each.
        package let sets: Int
        package let subKeys: Int
        /// Of a sub-key, and of the query's half for it.
        package let half: Int
        package let topK: Int

        package init(heads: Int, sets: Int, subKeys: Int, half: Int, topK: Int) {
            self.heads = heads
            self.sets = sets
            self.subKeys = subKeys
            self.half = half
            self.topK = topK
        }
    }

    /// The gradients of one side's queries, overwritten, and of its sub-keys, added to.
    ///
    /// Only the picked sub-keys are touched: O(picks half).
    ///
    /// - Parameters:
    ///   - ids: [tokens, heads, topK]: the sub-key of side 0 times `subKeys`, plus that of side 1.
    ///   - scores: The gradients of the picks' scores.
    ///   - side: 0 or 1.
    ///   - keys: [sets, 2, subKeys, half].
    ///   - queries: [tokens, heads, 2, half], likewise `dqueries`.
    ///   - dkeys: As `keys`.
    package static func addKeyGradients(
        of ids: [UInt32], scores: FloatSlice, side: Int, sizes: KeySizes, keys: FloatSlice,
        queries: FloatSlice, dqueries: FloatSlice, dkeys: FloatSlice
    ) {
        let (n, half) = (sizes.subKeys, sizes.half)
        let groups = ids.count / sizes.topK
        check(ids.count == scores.count && ids.count % sizes.topK == 0, ids.count, scores.count)
        check(
            queries.count == groups * 2 * half && dqueries.count == queries.count,
            queries.count, dqueries.count)
        check(
            keys.count == sizes.sets * 2 * n * half && dkeys.count == keys.count, keys.count,
            dkeys.count)
        precondition(
            (side == 0 || side == 1) && (sizes.sets == 1 || sizes.sets == sizes.heads),
            "side \(side) of \(sizes.sets) sets")
        unsafe cambium_training_active().pointee.key_gradients(
            ids, scores.pointer, groups, sizes.topK, side == 0 ? n : 1, n, sizes.heads,
            sizes.sets == 1 ? 0 : 2 * n * half, keys.pointer + side * n * half,
            queries.pointer + side * half, 2 * half, half, dqueries.pointer + side * half,
            dkeys.pointer + side * n * half)
    }
}
