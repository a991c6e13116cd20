internal import Cambium

extension Metrics {
    /// All figures as Prometheus reads them.
    func text(_ engine: Engine) -> String {
        let values = values
        var page = MetricsPage()
        page.add("cambium_requests_total", "counter", "Requests that were answered.")
        for (key, count) in values.answers.sorted(by: { $0.key < $1.key }) {
            let words = key.split(separator: " ")
            page.value(
                count,
                ["route": String(words[0]), "status": words.count > 1 ? String(words[1]) : ""])
        }
        page.add(
            "cambium_request_duration_seconds", "histogram", "Until requests were answered whole.")
        var sum = 0
        for (bound, count) in zip(Self.bounds, values.durations) {
            sum += count
            page.value(sum, ["le": "\(bound)"], suffix: "_bucket")
        }
        sum += values.durations.last ?? 0
        page.value(sum, ["le": "+Inf"], suffix: "_bucket")
        page.value(values.durationSum, suffix: "_sum")
        page.value(sum, suffix: "_count")
        page.one(
            "cambium_prompt_tokens_total", "counter", "Tokens of prompts.", values.promptTokens)
        page.one("cambium_new_tokens_total", "counter", "Tokens that were made.", values.newTokens)
        page.one(
            "cambium_refused_total", "counter", "Requests that the full queue refused.",
            values.refused)
        page.one(
            "cambium_cancelled_total", "counter",
            "Texts given up: their client had gone, or another text of their request failed.",
            values.cancelled)
        page.one(
            "cambium_failures_total", "counter", "Failures of models and of the store.",
            values.failures)
        let (waiting, running) = engine.scheduler.counts
        page.one(
            "cambium_queue_length", "gauge", "Texts that wait, or are being prepared.", waiting)
        page.one("cambium_batch_size", "gauge", "Texts that are under way.", running)
        page.one("cambium_steps_total", "counter", "Steps of batches.", values.steps)
        page.one(
            "cambium_step_texts_total", "counter", "Texts of all steps together.", values.stepTexts)
        page.one(
            "cambium_step_seconds_total", "counter", "Time that steps took.", values.stepSeconds)
        page.one(
            "cambium_parts_run_total", "counter",
            "Parts of models, such as the attention of a layer, that ran.", values.partsRun)
        page.one(
            "cambium_parts_alone_total", "counter",
            "Parts that would have run if the texts of each model had run alone.",
            values.partsAlone)
        page.add(
            "cambium_experts_touched_total", "counter",
            "Distinct experts that each text picked, added up over texts.")
        for (layer, count) in values.experts.sorted(by: { $0.key < $1.key }) {
            page.value(count, ["layer": layer])
        }
        let models = engine.models.counts
        page.one("cambium_models_loaded", "gauge", "Models in memory.", models.loaded.count)
        page.one("cambium_model_loads_total", "counter", "Models that were loaded.", models.loads)
        page.one("cambium_model_drops_total", "counter", "Models that were dropped.", models.drops)
        page.one(
            "cambium_head_switches_total", "counter", "Names that came to mean another commit.",
            engine.heads.switches)
        let picks = engine.models.picks
        page.one("cambium_expert_picks_total", "counter", "Picks of experts.", picks.all)
        page.one(
            "cambium_expert_first_picks_total", "counter",
            "Picks of experts that were not at hand yet.", picks.first)
        let process = ProcessStatistics()
        page.one(
            "cambium_disk_bytes_read_total", "counter", "Bytes read from disks.", process.bytesRead)
        page.one(
            "cambium_memory_own_bytes", "gauge", "The process's own memory.", process.rssAnon)
        page.one(
            "cambium_memory_mapped_bytes", "gauge", "Mapped files in memory.", process.rssFile)
        page.one(
            "cambium_log_lines_lost_total", "counter",
            "Lines of the log that could not be written.",
            StandardError.linesLost)
        return page.text
    }
}

/// Prometheus' text format.
private struct MetricsPage {
    private(set) var text = ""
    private var name = ""

    mutating func add(_ name: String, _ type: String, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// - Parameter labels: Of values that need no escape: routes, numbers, ids.
    mutating func value(
        _ value: some CustomStringConvertible, _ labels: [String: String] = [:],
        suffix: String = ""
    ) {
        let list = labels.sorted { $0.key < $1.key }.map { "\($0)=\"\($1)\"" }
            .joined(separator: ",")
        text += "\(name)\(suffix)\(list.isEmpty ? "" : "{\(list)}") \(value)\n"
    }

    mutating func one(
        _ name: String, _ type: String, _ help: String, _ value: some CustomStringConvertible
    ) {
        add(name, type, help)
        self.value(value)
    }
}
