/// Figures of many alike.
package struct Samples: Sendable {
    private var values: [Double] = []
    private var isSorted = true

    package init() {}

    package var count: Int { values.count }
    package var sum: Double { values.reduce(0, +) }

    package mutating func add(_ value: Double) {
        values.append(value)
        isSorted = false
    }

    /// The value that such a share of them does not exceed; 0 of none.
    package mutating func quantile(_ share: Double) -> Double {
        if !isSorted {
            values.sort()
            isSorted = true
        }
        guard !values.isEmpty else { return 0 }
        return values[min(values.count - 1, Int((Double(values.count) * share).rounded(.down)))]
    }
}

/// What commands of a kind cost.
package struct Costs: Sendable {
    package var usage = Usage()
    package var requests = Samples()
    package var sent = Samples()
    package var received = Samples()
    /// Seconds.
    package var duration = Samples()

    package init() {}

    mutating func add<Value>(_ outcome: Member.Outcome<Value>) {
        usage = usage + outcome.usage
        requests.add(Double(outcome.usage.total))
        sent.add(Double(outcome.usage.sent))
        received.add(Double(outcome.usage.received))
        duration.add(Double(outcome.duration) / 1e6)
    }

    /// By name: the median, the hundredth, and the greatest.
    package mutating func figures(_ name: String) -> [String: Double] {
        var figures = ["\(name).count": Double(requests.count)]
        func add(_ what: String, _ samples: inout Samples) {
            for (label, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
                figures["\(name).\(what).\(label)"] = samples.quantile(share)
            }
        }
        add("requests", &requests)
        add("sent", &sent)
        add("received", &received)
        add("seconds", &duration)
        return figures
    }
}
