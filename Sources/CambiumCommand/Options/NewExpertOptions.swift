internal import ArgumentParser
internal import Cambium

/// The experts that a new adapter gets.
struct NewExpertOptions: ParsableArguments {
    enum Kind: String, ExpressibleByArgument, CaseIterable { case neurons, swiglu }

    @Option(
        name: .customLong("new-experts"),
        help: ArgumentHelp(
            """
            Give a new adapter this many experts in a layer, with a router of their own, in place of the \
            base's while it is active.
            """, valueName: "number"))
    var count: Int?

    @Option(
        help: """
            What new experts are: neurons (the default), a square number of them in each of the base's layers \
            of neurons, or swiglu, in every layer.
            """)
    var expertKind: Kind?

    @Option(help: "Inner width of a new SwiGLU expert (default: 256).")
    var expertWidth: Int?

    @Option(help: "New SwiGLU experts that a byte uses, the best of them (default: 1).")
    var expertPicks: Int?

    func validate() throws {
        if count == nil, expertKind != nil || expertWidth != nil || expertPicks != nil {
            throw ValidationError(
                "--expert-kind, --expert-width and --expert-picks say what --new-experts adds; give it too"
            )
        }
        if expertKind != .swiglu, expertWidth != nil || expertPicks != nil {
            throw ValidationError("--expert-width and --expert-picks are for --expert-kind swiglu")
        }
    }

    var chosen: NewExperts? {
        count.map {
            expertKind == .swiglu
                ? .swiglu($0, width: expertWidth ?? 256, topK: expertPicks ?? 1) : .neurons($0)
        }
    }
}
