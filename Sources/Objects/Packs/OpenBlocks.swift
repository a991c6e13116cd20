internal import Elements
internal import Synchronization

/// Compressed blocks that were opened, a few: what is wanted next often lies in the same.
///
/// Of use as long as no pack is written again under its number.
final class OpenBlocks: Sendable {
    /// Bytes of all blocks that are kept.
    private static let limit = 32 << 20

    /// A block that one thread opens while others wait for it.
    private final class Entry: Sendable {
        let pack: UInt32
        let group = Mutex<ColdGroup?>(nil)

        init(_ pack: UInt32) { self.pack = pack }
    }

    private struct State: Sendable {
        /// The one that was wanted last goes last.
        var entries: [(entry: Entry, memory: Int)] = []
        var memory = 0
    }

    private let state = Mutex(State())

    /// - Parameter open: Makes what is not here.
    func group(of pack: Pack, _ open: () throws -> ColdGroup) throws -> ColdGroup {
        let entry = state.withLock { state in
            let position = state.entries.lastIndex { $0.entry.pack == pack.number }
            guard let position else {
                let entry = Entry(pack.number)
                state.entries.append((entry, 0))
                return entry
            }
            if position < state.entries.count - 1 {
                state.entries.append(state.entries.remove(at: position))
            }
            return state.entries[state.entries.count - 1].entry
        }
        let (group, isNew) = try entry.group.withLock { known in
            if let known { return (known, false) }
            let opened = try open()
            known = opened
            return (opened, true)
        }
        if isNew { note(entry, group.memory) }
        return group
    }

    private func note(_ entry: Entry, _ memory: Int) {
        state.withLock { state in
            guard let position = state.entries.firstIndex(where: { $0.entry === entry }) else {
                return
            }
            state.entries[position].memory = memory
            state.memory += memory
            while state.memory > Self.limit, state.entries.count > 1 {
                state.memory -= state.entries.removeFirst().memory
            }
        }
    }
}
