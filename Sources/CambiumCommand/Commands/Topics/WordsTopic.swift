internal import ArgumentParser

/// The page `cambium help words`.
struct WordsTopic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "words",
        abstract: "What the words of the other pages mean.",
        usage: "",
        discussion: text,
        shouldDisplay: false)

    private static let text = """
        store       one directory with all versions of models
        tree        the content of a snapshot; equal models have equal trees
        snapshot    one immutable state of a whole model: what a commit names
        expert      a small network of which a layer has many and a token picks few
        expert pool the experts of a layer that one router picks from: the base's,
                    or an adapter's
        router      what picks experts for a token
        trunk       the weights that every token uses: embeddings, attention, norms,
                    dense feed-forward, head
        round       one run of training that ends in a commit
        adapter     what a round added: changes of the frozen base's weights, with or
                    without experts of its own
        gate        what picks the adapter for a text, by the text's own bytes
        evidence    what a gate or a router is solved from: sums that add up, one
                    record for each text; merging them is exact
        counts      evidence of a gate: how often runs of a few bytes occur in a
                    text; they also predict beside the network where they know a
                    text better
        Gram sums   evidence over hidden states: sums of products of features
        routes      evidence of what old text decided, kept when an expert is added
        activations evidence of how often experts were picked
        conflict    what two sides of a merge changed differently
        policy      a named rule that settles conflicts
        settled     of a conflict: decided by a policy that was named
        head        the commit that a branch is at; HEAD: where commits go now
        reflog      where a branch or HEAD was before
        lease       what keeps a model that is being read from being removed
        pack        one record of the store's file with many objects
        """

    func run() throws { throw CleanExit.message(Self.text) }
}
