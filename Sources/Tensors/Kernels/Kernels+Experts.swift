internal import Elements

extension Kernels {
    /// Gated experts: out[token] += Σ weight · expert(x[token]), added in ascending order of the experts.
    ///
    /// What a token gets depends on its own picks alone. Each weight is read once for some four tokens.
    ///
    /// - Parameters:
    ///   - form: What they are.
    ///   - experts: Where the expert of each pick of `groups` lies, its parts one after the other at any
    ///     alignment, readable for the call.
    ///   - groups: The picks.
    ///   - x: [tokens, width].
    ///   - out: [tokens, width].
    ///   - team: Shares first the elements between the two steps, then those of `out`.
    @unsafe package static func addGatedExperts(
        _ form: GatedExpertForm, _ experts: Span<UnsafeRawPointer>, _ groups: ExpertGroups,
        x: Span<Float>, into out: inout MutableSpan<Float>, team: ThreadTeam = .single
    ) {
        let width = form.width
        precondition(
            unsafe experts.count == groups.selection.count && out.count == x.count
                && groups.tokens.allSatisfy { $0 >= 0 && ($0 + 1) * width <= x.count },
            "\(groups.selection.count) picks, \(x.count) -> \(out.count) elements by \(width)")
        guard !groups.tokens.isEmpty else { return }
        var hidden = FloatBuffer(count: groups.tokens.count * form.intermediateSize)
        var hiddenSpan = hidden.mutableSpan(0..<hidden.count)
        unsafe hiddenSpan.withUnsafeMutableBufferPointer { hidden in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    unsafe experts.withUnsafeBufferPointer { experts in
                        guard let hidden = hidden.baseAddress, let x = x.baseAddress,
                            let out = out.baseAddress, let experts = experts.baseAddress
                        else { return }
                        unsafe ExpertBatch.with(form, experts, groups, x, hidden, out) {
                            unsafe $0.run(team)
                        }
                    }
                }
            }
        }
    }
}

extension Kernels {
    /// What a gated expert has between its two steps for some tokens, with the bits that ``addGatedExperts`` has.
    ///
    /// - Parameters:
    ///   - expert: Its parts one after the other.
    ///   - x: [tokens, width].
    /// - Returns: [tokens, intermediateSize].
    package static func gatedMiddles(
        _ form: GatedExpertForm, _ expert: [UInt8], x: Span<Float>, team: ThreadTeam = .single
    ) -> [Float] {
        let tokens = x.count / form.width
        precondition(
            x.count == tokens * form.width
                && expert.count == form.parts.reduce(0) { $0 + ($1.byteCount ?? 0) },
            "an expert of \(expert.count) bytes, \(x.count) elements by \(form.width)")
        guard tokens > 0 else { return [] }
        let groups = ExpertGroups(
            [UInt32](repeating: 0, count: tokens).span,
            weights: [Float](repeating: 0, count: tokens).span, perToken: 1)
        var middles = [Float](repeating: 0, count: tokens * form.intermediateSize)
        unsafe expert.withUnsafeBytes { expert in
            unsafe middles.withUnsafeMutableBufferPointer { hidden in
                unsafe x.withUnsafeBufferPointer { x in
                    guard let start = expert.baseAddress, let hidden = hidden.baseAddress,
                        let x = x.baseAddress
                    else { return }
                    let rows = unsafe [UnsafeRawPointer](repeating: start, count: tokens)
                    unsafe rows.withUnsafeBufferPointer { rows in
                        guard let rows = rows.baseAddress else { return }
                        // Nothing is added to an output, so any address does for it.
                        unsafe ExpertBatch.with(form, rows, groups, x, hidden, hidden) {
                            unsafe $0.fillHidden(team)
                        }
                    }
                }
            }
        }
        return middles
    }
}
