/// Keys in order, many of them, cheap to add and to remove.
struct KeyList {
    private var chunks: [[String]] = [[]]
    private static let most = 512

    /// The chunk that has, or would have, a key.
    private func chunk(of key: String) -> Int {
        var low = 0
        var high = chunks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if let first = chunks[middle].first, first <= key {
                low = middle
            } else {
                high = middle
            }
        }
        return low
    }

    /// Where in a chunk the first key is that is not before this one.
    private static func place(of key: String, in chunk: [String]) -> Int {
        var low = 0
        var high = chunk.count
        while low < high {
            let middle = (low + high) / 2
            if chunk[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func insert(_ key: String) {
        let index = chunk(of: key)
        let place = Self.place(of: key, in: chunks[index])
        chunks[index].insert(key, at: place)
        if chunks[index].count > Self.most {
            let half = Array(chunks[index][(Self.most / 2)...])
            chunks[index].removeLast(half.count)
            chunks.insert(half, at: index + 1)
        }
    }

    mutating func remove(_ key: String) {
        let index = chunk(of: key)
        let place = Self.place(of: key, in: chunks[index])
        guard place < chunks[index].count, chunks[index][place] == key else { return }
        chunks[index].remove(at: place)
        if chunks[index].isEmpty, chunks.count > 1 { chunks.remove(at: index) }
    }

    /// The first keys with a prefix behind another key, and whether there are more.
    func page(_ prefix: String, after: String?, most: Int) -> (keys: [String], isTruncated: Bool) {
        let start = after.map { max($0, prefix) } ?? prefix
        var index = chunk(of: start)
        var place = Self.place(of: start, in: chunks[index])
        var keys: [String] = []
        while index < chunks.count {
            guard place < chunks[index].count else {
                (index, place) = (index + 1, 0)
                continue
            }
            let key = chunks[index][place]
            place += 1
            if key == after { continue }
            guard key.hasPrefix(prefix) else { break }
            if keys.count == most { return (keys, true) }
            keys.append(key)
        }
        return (keys, false)
    }
}
