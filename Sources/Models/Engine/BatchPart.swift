internal import Architectures

/// The texts of a batch whose models have the same part, which runs them together.
struct BatchPart {
    /// One of the models that have it.
    let model: LanguageModel
    /// One behind the other.
    private(set) var segments: [ForwardPass.Segment] = []
    /// Of each segment its first token among those of the whole batch.
    private(set) var origins: [Int] = []

    /// Tokens of all segments.
    var count: Int { segments.last?.range.upperBound ?? 0 }

    private init(_ model: LanguageModel) { self.model = model }

    /// What every part of a batch is whose texts are all of one model.
    static func whole(_ segments: [ForwardPass.Segment]) -> [BatchPart] {
        guard let first = segments.first else { return [] }
        var part = BatchPart(first.session.model)
        for segment in segments { part.add(segment) }
        return [part]
    }

    /// Every part of a batch, in the order of their first texts.
    ///
    /// - Parameter content: Of the part that a model has in some place.
    static func all(
        _ segments: [ForwardPass.Segment], _ content: (LanguageModel) -> PartContent
    ) -> [BatchPart] {
        var parts: [BatchPart] = []
        var contents: [PartContent] = []
        var (last, place) = (nil as LanguageModel.Identity?, 0)
        for segment in segments {
            let model = segment.session.model
            if last !== model.identity {
                let own = content(model)
                place = contents.firstIndex(of: own) ?? contents.endIndex
                if place == contents.endIndex {
                    contents.append(own)
                    parts.append(BatchPart(model))
                }
                last = model.identity
            }
            parts[place].add(segment)
        }
        return parts
    }

    private mutating func add(_ segment: ForwardPass.Segment) {
        origins.append(segment.start)
        segments.append(
            ForwardPass.Segment(session: segment.session, tokens: segment.tokens, start: count))
    }

    /// Whose experts each of the tokens picks among, in the order of the segments; one run where all pick among the
    /// same.
    ///
    /// - Parameters:
    ///   - layer: Index of a layer.
    ///   - block: Index of a block of it, with experts.
    func pools(_ layer: Int, _ block: Int) -> [ExpertRun] {
        var runs: [ExpertRun] = []
        var last: PartContent?
        for segment in segments {
            let block = segment.session.model.layers[layer].blocks[block]
            guard case .experts(let experts) = block.feedForward else { continue }
            if experts.content == last, let run = runs.popLast() {
                runs.append(
                    ExpertRun(
                        table: run.table,
                        tokens: run.tokens.lowerBound..<segment.range.upperBound))
            } else {
                runs.append(ExpertRun(table: experts.table, tokens: segment.range))
            }
            last = experts.content
        }
        return runs
    }
}

/// Adjacent tokens that pick among the experts of one table.
struct ExpertRun {
    let table: any ExpertTable
    let tokens: Range<Int>
}
