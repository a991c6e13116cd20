extension Architecture {
    /// Our own byte-level architecture, whose config.json ``PeerConfig`` reads.
    ///
    /// Neurons below product keys or a tree, or SwiGLU experts below a linear router. Rounds add adapters to it
    /// rather than experts.
    package static let peerLM = Architecture(name: "peer-lm", names: .neurons)
}
