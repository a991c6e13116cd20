extension Architecture {
    /// Kimi-K2 (2507.20534): DeepSeek-V3 under another name.
    ///
    /// The library has no class of it; it reads such a model as DeepSeek-V3, whose class the config names.
    static let kimiK2 = Architecture(
        name: "kimi_k2", classPrefix: deepseekV3.classPrefix, countKeys: deepseekV3.countKeys,
        names: deepseekV3.names, defaults: deepseekV3.defaults, parts: deepseekV3.parts)
}
