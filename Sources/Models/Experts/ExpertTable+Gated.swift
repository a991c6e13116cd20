internal import Elements
package import Routing
package import Tensors

extension ExpertTable {
    /// out = the sum over a token's picks of weight · expert(x), in ascending order of the experts.
    ///
    /// - Parameters:
    ///   - form: What the experts are; its parts are the table's.
    ///   - selection: Of one head.
    ///   - x: [tokens, width].
    ///   - out: [tokens, width], replaced.
    ///   - team: Shares the work.
    /// - Throws: What reading throws.
    package func addGatedOutputs(
        _ form: GatedExpertForm, of selection: borrowing Selection, _ x: Span<Float>,
        into out: inout MutableSpan<Float>, team: ThreadTeam
    ) throws {
        precondition(selection.heads == 1, "picks of \(selection.heads) heads")
        for index in out.indices { out[index] = 0 }
        // With a limit of memory a few tokens at a time, so that what they need fits.
        let block = max(tokensAtOnce(selections: selection.topK) ?? selection.tokens, 1)
        var addresses = ExpertAddresses()
        for first in stride(from: 0, to: selection.tokens, by: block) {
            let end = min(first + block, selection.tokens)
            let range = first * selection.topK..<end * selection.topK
            let groups = ExpertGroups(
                selection.experts.span.extracting(range),
                weights: selection.weights.span.extracting(range), perToken: selection.topK)
            try find(groups.selection.span, &addresses)
            try form.check(groups.experts, at: groups.starts, addresses)
            let elements = first * form.width..<end * form.width
            var some = out._mutatingExtracting(elements)
            unsafe Kernels.addGatedExperts(
                form, addresses.rows.span, groups, x: x.extracting(elements), into: &some,
                team: team)
        }
    }
}

extension GatedExpertForm {
    /// Refuses experts with a tensor that says otherwise than the form that they are run by; when the model is opened
    /// no expert is read.
    ///
    /// - Parameter starts: Of each expert a position among the addresses.
    fileprivate func check(
        _ experts: [UInt32], at starts: [Int], _ addresses: ExpertAddresses
    ) throws {
        guard !repeated.isEmpty else { return }
        for (expert, start) in zip(experts, starts) {
            guard let other = unsafe contradiction(in: addresses[start]) else { continue }
            throw CambiumError(
                .badTensor,
                "\(other.name) of expert \(expert) says otherwise than its codes are run by: a group is adjacent inputs "
                    + "(desc_act is false), and a shape that of the config")
        }
    }
}

/// out = the sum over a token's picks of weight · expert(x), in ascending order of the experts, where tokens pick among
/// the experts of several tables; an expert that lies in one place for several of them is read once.
///
/// - Parameters:
///   - form: What the experts of all tables are.
///   - selection: Of one head.
///   - pools: Whose experts the tokens pick among, one run behind the other.
///   - x: [tokens, width].
///   - out: [tokens, width], replaced.
///   - team: Shares the work.
/// - Throws: What reading throws.
func addGatedOutputs(
    _ form: GatedExpertForm, of selection: borrowing Selection, _ pools: [ExpertRun],
    _ x: Span<Float>, into out: inout MutableSpan<Float>, team: ThreadTeam
) throws {
    precondition(selection.heads == 1, "picks of \(selection.heads) heads")
    for index in out.indices { out[index] = 0 }
    let found = try FoundExperts(selection.experts, perToken: selection.topK, pools)
    let groups = ExpertGroups(
        found.selection.span, weights: selection.weights.span, perToken: selection.topK)
    var addresses = ExpertAddresses()
    found.fill(&addresses, groups.selection)
    try form.check(
        groups.experts.map { found.ordinals[Int($0)] }, at: groups.starts, addresses)
    unsafe Kernels.addGatedExperts(
        form, addresses.rows.span, groups, x: x, into: &out, team: team)
}
