internal import ArgumentParser
internal import Cambium
internal import Reporting

/// How much memory a model may take, and how it starts.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Copy experts when they are picked, and drop those not used for long when the process would take more: 300M, 2G. Results do not depend on it.",
            valueName: "size"))
    var memoryLimit: SizeOption?

    @Flag(
        inversion: .prefixedNo,
        help: "Ask for the experts that `cambium profile` noted before the first token.")
    var warm = true

    /// - Throws: `usage` when `CAMBIUM_MEMORY_LIMIT` or the setting is no size.
    var model: ModelOptions {
        get throws {
            let limit =
                try memoryLimit
                ?? Terminal.option("CAMBIUM_MEMORY_LIMIT", .memoryLimit) {
                    SizeOption(argument: $0)
                }
            return ModelOptions(memoryLimit: limit?.bytes, warms: warm)
        }
    }
}

/// A number of bytes, with K, M, G or T for powers of 1024.
struct SizeOption: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        guard let size = ByteSize(argument) else { return nil }
        bytes = size.bytes
    }
}
