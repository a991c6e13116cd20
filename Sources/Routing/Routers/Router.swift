package import Tensors

/// What picks experts for tokens.
///
/// A route depends on the token's hidden state and the router alone: not on what else is routed with
/// it, the number of threads or the CPU. Picks come in descending score; equal scores in ascending
/// expert id, also where a tie decides who is picked. A NaN score is picked first, so that it shows
/// in the output.
package protocol Router: Sendable {
    /// Experts that can be picked.
    var expertCount: Int { get }
    /// Heads that pick on their own.
    var heads: Int { get }
    /// Picks of each head.
    var topK: Int { get }

    /// Routes a batch.
    ///
    /// - Parameters:
    ///   - x: [tokens, width], the normalised hidden state.
    ///   - selection: Replaced by the picks of these tokens; its heads and topK are the router's.
    ///   - team: Shares the work.
    func route(_ x: Span<Float>, tokens: Int, into selection: inout Selection, team: ThreadTeam)
}

extension Router {
    /// Routes a batch on the caller's thread.
    package func route(_ x: Span<Float>, tokens: Int, into selection: inout Selection) {
        route(x, tokens: tokens, into: &selection, team: .single)
    }

    /// Picks of the right shape, of no tokens yet.
    package var noPicks: Selection { Selection(heads: heads, topK: topK) }
}
