internal import ArgumentParser

/// Which options go together.
extension TrainCommand {
    func validate() throws {
        if data.isEmpty { throw ValidationError("give at least one --data FILE") }
        if [steps != nil, tokens != nil, seconds != nil].count(where: { $0 }) > 1 {
            throw ValidationError("give one of --steps, --tokens and --seconds")
        }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
        guard (0...50).contains(holdOut) else {
            throw ValidationError("--hold-out is \(holdOut); give 0 to 50 percent")
        }
        if !freeze.isEmpty, initial != nil {
            throw ValidationError("--freeze leaves nothing to train of a new base")
        }
        if whole || initial != nil, newExperts.count != nil || kind != nil {
            throw ValidationError(
                "--new-experts and --kind are for adapters, not for --whole and --init")
        }
        if whole || initial != nil, adapter != nil || grow != .new {
            throw ValidationError(
                "--adapter and --grow are for adapters, not for --whole and --init")
        }
        if editedExperts != nil {
            guard adapter == nil, grow == .new, !whole, initial == nil, newExperts.count == nil,
                kind == nil
            else {
                throw ValidationError(
                    "--edit-experts is for the model's own experts: leave --adapter, --kind, --grow, --whole, "
                        + "--init and --new-experts out")
            }
            if freeze.contains(where: \.experts) {
                throw ValidationError(
                    "--freeze experts leaves nothing to edit; --edit-experts freezes all else anyway"
                )
            }
        } else if !background.isEmpty {
            throw ValidationError("--background is for --edit-experts")
        }
        if startFrom != nil, whole || initial != nil || editedExperts != nil || grow == .edit {
            throw ValidationError("--start-from is for new adapters")
        }
        if hold == nil, holdRouter != nil { throw ValidationError("--hold-router needs --hold") }
        if hold != nil, !whole, editedExperts == nil {
            throw ValidationError(
                "--hold is for --whole and --edit-experts: an adapter leaves old text to the base")
        }
        if let chunk {
            guard data == ["-"], chunk >= Self.leastChunk else {
                throw ValidationError(
                    "--chunk is for --data - alone, and at least \(Self.leastChunk) bytes")
            }
            if resume {
                throw ValidationError("--resume goes on with one round; leave --chunk out")
            }
        }
    }
}
