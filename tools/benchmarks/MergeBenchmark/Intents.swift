internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Routing
internal import Tensors

/// CLINC150 as ten steps of fifteen new intents each, on hashed n-gram features: a router solved from
/// evidence, step by step and at once, and gradient descent on the same features.
struct IntentCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "intents")

    @Option(help: "clinc150.json.") var data: String
    @Option var width = 2_048
    @Option var steps = 10
    @Option(help: "Whether gradient descent runs beside it.") var peers = 1

    /// One utterance: its features and its intent.
    struct Example {
        let features: [Int16]
        let label: UInt32
    }

    func run() throws {
        let sets = try JSONDecoder().decode(
            [String: [[String]]].self, from: Data(contentsOf: URL(filePath: data)))
        // The order of the steps: by a hash of the intents' names, so that topics mix.
        var found: Set<String> = []
        for pair in sets["train", default: []] { found.insert(pair[1]) }
        let names = found.map { (hash: hash($0), name: $0) }.sorted {
            ($0.hash, $0.name) < ($1.hash, $1.name)
        }
        var numbers: [String: UInt32] = [:]
        for (index, entry) in names.enumerated() { numbers[entry.name] = UInt32(index) }
        let train = examples(sets["train", default: []], numbers)
        let test = examples(sets["test", default: []], numbers)
        let valid = examples(sets["val", default: []], numbers)
        let (choosing, lambda) = try seconds { try heldOutLambda(train, valid) }
        let perStep = names.count / steps
        let parts = (0..<steps).map { step in
            train.filter { Int($0.label) / perStep == step }
        }
        let (time, solved) = try seconds { try solve(parts, test, perStep, lambda) }
        try expect(solved.equal == steps, "a router of joint data has other bits")
        var figures = [
            "accuracy": solved.last, "gap": solved.gap, "equal_steps": Double(solved.equal),
            "seconds": time, "lambda": lambda, "choosing": choosing,
        ]
        figures["accuracy_valid"] = try accuracyByValid(train, valid, test, &figures)
        if peers > 0 {
            figures["sgd"] = descend(.plain, parts, test, names.count)
            figures["ewc"] = descend(.ewc(10), parts, test, names.count)
            figures["replay_1"] = descend(.replay(0.01), parts, test, names.count)
            figures["replay_5"] = descend(.replay(0.05), parts, test, names.count)
            figures["replay_10"] = descend(.replay(0.1), parts, test, names.count)
            figures["sgd_joint"] = descend(.replay(1), parts, test, names.count)
        }
        try say(figures)
    }

    /// The accuracy of gradient descent after all steps.
    private func descend(
        _ method: SoftmaxDescent.Method, _ parts: [[Example]], _ test: [Example], _ classes: Int
    ) -> Double {
        var model = SoftmaxDescent(width: width, classes: classes, method)
        for part in parts { model.learn(part) }
        var right = 0
        for example in test where model.best(example.features) == example.label { right += 1 }
        return Double(right) / Double(test.count)
    }

    /// λ by the utterances of the file's own split for validation, one for all steps.
    private func heldOutLambda(_ train: [Example], _ valid: [Example]) throws -> Double {
        var (fitted, heldOut) = (GramSums(width: width), GramSums(width: width))
        try add(train, to: &fitted)
        try add(valid, to: &heldOut)
        return try ReadOut.lambda(
            .ridge, fitted: fitted, heldOut: heldOut, team: ThreadTeam(count: 2))
    }

    /// The accuracy of all intents with the λ that is right most often on the split for validation.
    private func accuracyByValid(
        _ train: [Example], _ valid: [Example], _ test: [Example], _ figures: inout [String: Double]
    ) throws -> Double {
        var gramSums = GramSums(width: width)
        try add(train, to: &gramSums)
        var best: (right: Double, lambda: Double, router: ReadOut?) = (-1, 0, nil)
        for lambda in ReadOut.lambdas {
            let router = try ReadOut(
                .ridge, of: gramSums, lambda: lambda, team: ThreadTeam(count: 2))
            let right = accuracy(router, valid)
            if right > best.right { best = (right, lambda, router) }
        }
        figures["lambda_valid"] = best.lambda
        return best.router.map { accuracy($0, test) } ?? 0
    }

    /// Step by step, and for each step all its data at once in another order.
    private func solve(
        _ parts: [[Example]], _ test: [Example], _ perStep: Int, _ lambda: Double
    ) throws -> Solved {
        let team = ThreadTeam(count: 2)
        var result = Solved()
        var sequential = GramSums(width: width)
        for step in 0..<steps {
            try add(parts[step], to: &sequential)
            var random = SplitMix64(seed: UInt64(step))
            var joint = GramSums(width: width)
            var all: [Example] = []
            for part in parts.prefix(step + 1) { all += part }
            all.shuffle(using: &random)
            try add(all, to: &joint)
            let one = try ReadOut(.ridge, of: sequential, lambda: lambda, team: team)
            let two = try ReadOut(.ridge, of: joint, lambda: lambda, team: team)
            let seen = test.filter { Int($0.label) / perStep <= step }
            result.last = accuracy(one, seen)
            result.gap = max(result.gap, abs(result.last - accuracy(two, seen)))
            if one == two { result.equal += 1 }
        }
        return result
    }

    private struct Solved {
        /// The accuracy after the last step.
        var last = 0.0
        /// The greatest difference of accuracies.
        var gap = 0.0
        /// Steps whose routers have equal bits.
        var equal = 0
    }

    private func examples(_ pairs: [[String]], _ numbers: [String: UInt32]) -> [Example] {
        var found: [Example] = []
        for pair in pairs {
            guard let label = numbers[pair[1]] else { continue }
            found.append(Example(features: features(of: pair[0]), label: label))
        }
        return found
    }

    private func add(_ examples: [Example], to gramSums: inout GramSums) throws {
        let features = examples.flatMap(\.features)
        try gramSums.add(features.span, labels: examples.map(\.label))
    }

    private func accuracy(_ router: ReadOut, _ examples: [Example]) -> Double {
        Double(examples.count { router.best($0.features.span) == $0.label })
            / Double(examples.count)
    }

    /// Words, pairs of words, the first and the last word, and sequences of three to five bytes, each hashed to
    /// a place and a sign.
    ///
    /// Of each sum the square root, so that what an utterance repeats does not drown the rest. Chosen on the
    /// utterances for validation, of ten such forms.
    private func features(of text: String) -> [Int16] {
        var row = [Int16](repeating: 0, count: width)
        let words = text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber })
        for word in words { note("w \(word)", 4, in: &row) }
        for (one, two) in zip(words, words.dropFirst()) { note("p \(one) \(two)", 3, in: &row) }
        if let first = words.first, let last = words.last {
            note("f \(first)", 3, in: &row)
            note("l \(last)", 3, in: &row)
        }
        let bytes = Array(" \(words.joined(separator: " ")) ".utf8)
        for length in 3...5 where bytes.count >= length {
            for start in 0...(bytes.count - length) {
                let part = String(decoding: bytes[start..<start + length], as: UTF8.self)
                note("c \(part)", 1, in: &row)
            }
        }
        // Every utterance has the same length, so that long ones do not weigh more.
        var square = 0
        for value in row { square += abs(Int(value)) }
        let scale = 256 / Double(max(square, 1)).squareRoot()
        for index in row.indices {
            let root = Double(abs(Int(row[index]))).squareRoot() * scale
            row[index] = Int16((row[index] < 0 ? -root : root).rounded())
        }
        return row
    }

    private func note(_ part: String, _ weight: Int16, in row: inout [Int16]) {
        let value = hash(part)
        row[Int(value >> 1 % UInt64(width))] &+= value & 1 == 0 ? weight : -weight
    }

    private func hash(_ text: String) -> UInt64 {
        var digest = Digest()
        digest.add(text.utf8)
        // FNV's low bits are weak.
        return ExpertData.mix(digest.value)
    }
}
