internal import ArgumentParser
internal import Cambium

/// The experts that a new cohort gets.
struct NewExpertOptions: ParsableArguments {
    enum Kind: String, ExpressibleByArgument, CaseIterable { case neurons, swiglu }

    @Option(
        name: .customLong("new-experts"),
        help: ArgumentHelp(
            """
            Give a new cohort this many experts in a layer, with a router of their own, in place of the \
            base's while it is active.
            """, valueName: "number"))
    var count: Int?

    @Option(
        help: """
            What new experts are: neurons, a square number of them in each of the base's layers of neurons, \
            or swiglu, in every layer.
            """)
    var expertKind = Kind.neurons

    @Option(help: "Inner width of a new SwiGLU expert.")
    var expertWidth = 256

    @Option(help: "New SwiGLU experts that a byte uses, the best of them.")
    var expertPicks = 1

    var chosen: NewExperts? {
        count.map {
            expertKind == .neurons
                ? .neurons($0) : .swiglu($0, width: expertWidth, picks: expertPicks)
        }
    }
}
