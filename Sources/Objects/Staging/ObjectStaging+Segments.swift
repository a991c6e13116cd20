internal import Elements

extension ObjectStaging {
    /// Stages an object piece by piece.
    ///
    /// - Parameter predecessor: Of the same size: each segment takes the place of its segment.
    mutating func putSegments(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan, after predecessor: Predecessor?
    ) throws -> Placement {
        guard header.kind == .tensor else {
            throw CambiumError(
                .tooLarge,
                "an object of \(header.payloadCount) bytes does not fit one record; only tensors are kept in segments"
            )
        }
        let ranges = SegmentedPack.ranges(header.payloadCount, segmentBytes)
        let before = try predecessor.map { try copies.segments(of: $0) } ?? []
        var ids: [ObjectID] = []
        for (number, range) in ranges.enumerated() {
            let piece = payload.extracting(range)
            let shape = try ObjectHeader(.segment, byteCount: range.count)
            let segment = shape.id(of: piece)
            let old = before.count == ranges.count ? before[number] : nil
            try put(segment, shape, piece, after: old.map { .object($0) })
            ids.append(segment)
        }
        // How deep the segments lie is told by a repack: they are not written yet.
        let record = SegmentedPack.record(id, header, segmentBytes, ids, depth: 1)
        return putRecord(id, header, record)
    }
}
