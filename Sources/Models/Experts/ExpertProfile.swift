internal import Architectures
internal import Elements
internal import Routing

/// How often the experts of a model were picked on some text, to warm the next start: those that were
/// picked most are read first.
///
/// A file of its own, not part of the model: docs/format.md, "Usage profiles".
package struct ExpertProfile: Sendable, Equatable {
    /// One expert and its picks.
    package struct Entry: Sendable, Equatable {
        package let ordinal: UInt32
        package let selection: UInt32

        package init(ordinal: UInt32, selection: UInt32) {
            self.ordinal = ordinal
            self.selection = selection
        }
    }

    private static let magic: UInt32 = 0x4652_5043  // "CPRF"
    private static let version: UInt32 = 1

    /// By layer number: experts that were picked, most picks first, equal ones by ordinal.
    package let layers: [Int: [Entry]]

    /// - Parameter selection: By layer number and expert.
    package init(_ selection: [Int: [UInt32: Int]]) {
        layers = selection.mapValues { experts in
            experts.map { Entry(ordinal: $0, selection: UInt32(clamping: $1)) }.sorted {
                ($0.selection, $1.ordinal) > ($1.selection, $0.ordinal)
            }
        }
    }

    /// Experts of all layers.
    package var expertCount: Int { layers.values.reduce(0) { $0 + $1.count } }

    /// The bytes of the file.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: UInt32) {
            for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * shift))) }
        }
        append(Self.magic)
        append(Self.version)
        append(UInt32(layers.count))
        for (layer, entries) in layers.sorted(by: { $0.key < $1.key }) {
            append(UInt32(layer))
            append(UInt32(entries.count))
            for entry in entries {
                append(entry.ordinal)
                append(entry.selection)
            }
        }
        return bytes
    }

    /// Reads a file.
    ///
    /// - Throws: `.badInput` when it is not a profile, or cut short.
    package init(decoding bytes: [UInt8]) throws {
        var numbers: [UInt32] = []
        for start in stride(from: 0, to: bytes.count / 4 * 4, by: 4) {
            numbers.append(
                (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
        }
        guard bytes.count % 4 == 0, numbers.count >= 3, numbers[0] == Self.magic else {
            throw CambiumError(.badInput, "the file is not a usage profile")
        }
        guard numbers[1] == Self.version else {
            throw CambiumError(
                .badInput, "the usage profile has version \(numbers[1]); make it again")
        }
        var layers: [Int: [Entry]] = [:]
        var position = 3
        for _ in 0..<numbers[2] {
            guard numbers.count - position >= 2,
                (numbers.count - position - 2) / 2 >= Int(numbers[position + 1])
            else { throw CambiumError(.badInput, "the usage profile is cut short; make it again") }
            let layer = Int(numbers[position])
            let count = Int(numbers[position + 1])
            position += 2
            layers[layer] = (0..<count).map {
                Entry(
                    ordinal: numbers[position + 2 * $0], selection: numbers[position + 2 * $0 + 1])
            }
            position += 2 * count
        }
        guard position == numbers.count else {
            throw CambiumError(.badInput, "the usage profile has more bytes than it tells")
        }
        self.layers = layers
    }
}

extension LanguageModel {
    /// Tokens of a window of a profile, at most.
    private static let longestProfileWindow = 4096

    /// Counts what a text picks.
    ///
    /// - Parameter progress: Called with the windows done and all windows.
    /// - Throws: `.badInput` for an empty text; what reading an expert throws.
    package func profile(
        _ tokens: [Int], progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> ExpertProfile {
        try profile(count: tokens.count, progress: progress) { Array(tokens[$0]) }
    }

    /// As ``profile(_:progress:)``, of a text that is read window by window.
    ///
    /// - Parameters:
    ///   - count: Tokens of the text.
    ///   - read: Tokens of it, called with ranges that ascend and do not overlap.
    package func profile(
        count: Int, progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in },
        read: (Range<Int>) throws -> [Int]
    ) throws -> ExpertProfile {
        guard count > 0 else { throw CambiumError(.badInput, "the text is empty") }
        let session = Session(self)
        session.countsPicks = true
        let size = min(description.contextLength, Self.longestProfileWindow)
        let windows = (count + size - 1) / size
        for window in 0..<windows {
            session.reset()
            _ = try session.append(read(window * size..<min(count, (window + 1) * size)))
            try progress(window + 1, windows)
        }
        return ExpertProfile(session.selection)
    }

    /// Asks for the experts that a profile says are picked most, in the background.
    ///
    /// - Parameter byteLimit: Of the experts' bytes, over all layers; nil for all that were picked.
    /// - Throws: What reading an expert throws.
    package func warm(_ profile: ExpertProfile, byteLimit: Int? = nil) throws {
        try profile.warm(
            slots.flatMap { slot in slot.tables.map { (slot.number, $0) } }, byteLimit: byteLimit)
    }

    /// Bytes of the experts that a profile says were picked.
    package func byteCount(of profile: ExpertProfile) -> Int {
        slots.reduce(0) { sum, slot in
            sum + (profile.layers[slot.number]?.count ?? 0) * slot.expertBytes
        }
    }
}

extension ExpertProfile {
    /// Asks each layer's table for the experts picked most.
    fileprivate func warm(
        _ tables: [(layer: Int, experts: any ExpertTable)], byteLimit: Int?
    ) throws {
        var wanted: [(layer: Int, entry: Entry)] = []
        for (layer, entries) in layers { wanted += entries.map { (layer, $0) } }
        wanted.sort {
            ($0.entry.selection, $1.layer, $1.entry.ordinal)
                > ($1.entry.selection, $0.layer, $0.entry.ordinal)
        }
        if let byteLimit {
            let sizes = Dictionary(
                tables.map { ($0.layer, $0.experts.expertBytes) }, uniquingKeysWith: +)
            var rest = byteLimit
            wanted = Array(
                wanted.prefix {
                    rest -= sizes[$0.layer] ?? 0
                    return rest >= 0
                })
        }
        for (index, experts) in tables {
            // A profile may be of another model: what it does not have is left out.
            let ordinals = wanted.filter { $0.layer == index }.map(\.entry.ordinal).filter {
                $0 < UInt32(clamping: experts.count)
            }
            try experts.prefetch(ordinals.sorted())
        }
    }
}
