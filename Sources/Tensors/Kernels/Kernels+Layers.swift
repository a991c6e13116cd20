internal import CKernels
package import Elements

extension Kernels {
    /// Neuron experts: out += Σ gate · GELU(u · x) · v, added in the order of the experts.
    ///
    /// - Parameters:
    ///   - experts: Where each expert lies: the row u, then the row v, little-endian at any alignment,
    ///     [2, x.count]; of I8 then also the scales of both rows as F32. Mapped records serve; each
    ///     must be readable for the call.
    ///   - type: F32, BF16 and I8 are read in place; F16 is converted for this use.
    ///   - gates: One for each expert.
    ///   - x: [width].
    ///   - out: [width].
    ///   - team: Shares the work on this one token: first the experts, then the elements of `out`, so
    ///     that the order of additions stays.
    @unsafe package static func addNeurons(
        _ experts: Span<UnsafeRawPointer>, type: ElementType, gates: Span<Float>, x: Span<Float>,
        into out: inout MutableSpan<Float>, team: ThreadTeam = .single
    ) {
        precondition(
            unsafe experts.count == gates.count && out.count == x.count,
            "\(gates.count) gates, \(x.count) -> \(out.count) elements")
        let stored: cambium_expert_type
        switch type {
        case .f32: stored = CAMBIUM_EXPERT_F32
        case .bf16: stored = CAMBIUM_EXPERT_BF16
        case .i8: stored = CAMBIUM_EXPERT_I8
        default: return unsafe addConverted(experts, type, gates, x, &out)
        }
        unsafe x.withUnsafeBufferPointer { x in
            unsafe gates.withUnsafeBufferPointer { gates in
                unsafe experts.withUnsafeBufferPointer { experts in
                    unsafe out.withUnsafeMutableBufferPointer { out in
                        guard let x = x.baseAddress, let gates = gates.baseAddress,
                            let start = experts.baseAddress, let target = out.baseAddress
                        else { return }
                        unsafe start.withMemoryRebound(
                            to: UnsafeRawPointer?.self, capacity: experts.count
                        ) { rows in
                            if team.count > 1, experts.count >= 32, out.count >= 64 {
                                unsafe shareNeurons(
                                    rows, experts.count, stored, gates, x, out.count, target, team)
                            } else {
                                unsafe cambium_neurons(
                                    x, rows, gates, experts.count, out.count, stored, target)
                            }
                        }
                    }
                }
            }
        }
    }

    @unsafe private static func shareNeurons(
        _ experts: UnsafePointer<UnsafeRawPointer?>, _ count: Int, _ type: cambium_expert_type,
        _ gates: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ width: Int,
        _ out: UnsafeMutablePointer<Float>, _ team: ThreadTeam
    ) {
        unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { buffer in
            guard let base = buffer.baseAddress else { return }
            nonisolated(unsafe) let values = unsafe base
            nonisolated(unsafe) let experts = unsafe experts
            nonisolated(unsafe) let gates = unsafe gates
            nonisolated(unsafe) let x = unsafe x
            nonisolated(unsafe) let out = unsafe out
            let parts = team.count
            team.forEach(parts) { part in
                let (start, end) = (count * part / parts, count * (part + 1) / parts)
                unsafe cambium_neuron_values(
                    x, experts + start, gates + start, end - start, width, type, values + start)
            }
            // Whole vectors, so that an element is computed in the same way by any thread.
            let vectors = (width + 15) / 16
            team.forEach(parts) { part in
                let (start, end) = (vectors * part / parts, vectors * (part + 1) / parts)
                unsafe cambium_neuron_sums(
                    values, experts, count, width, type, 16 * start, min(16 * end, width), out)
            }
        }
    }

    @unsafe private static func addConverted(
        _ experts: Span<UnsafeRawPointer>, _ type: ElementType, _ gates: Span<Float>,
        _ x: Span<Float>, _ out: inout MutableSpan<Float>
    ) {
        for index in unsafe experts.indices {
            var converted = FloatBuffer(count: 2 * x.count)
            let bytes = unsafe RawSpan(
                _unsafeStart: experts[index], byteCount: 2 * x.count * type.bitWidth / 8)
            var span = converted.mutableSpan(0..<converted.count)
            convertToFloat(bytes, type: type, into: &span)
            unsafe converted.span.withUnsafeBufferPointer { rows in
                guard let start = rows.baseAddress else { return }
                let addresses = unsafe [UnsafeRawPointer(start)]
                unsafe addNeurons(
                    addresses.span, type: .f32, gates: gates.extracting(index..<index + 1), x: x,
                    into: &out)
            }
        }
    }

    /// Rotates the two halves of every head in place (RoPE in its rotate-half form).
    ///
    /// - Parameters:
    ///   - x: [tokens, heads, headSize].
    ///   - cosines: [tokens, headSize / 2], of the tokens' positions.
    ///   - sines: [tokens, headSize / 2].
    package static func rotate(
        _ x: inout MutableSpan<Float>, cosines: Span<Float>, sines: Span<Float>, heads: Int,
        headSize: Int
    ) {
        let tokens = x.count / (heads * headSize)
        precondition(
            x.count == tokens * heads * headSize && headSize % 2 == 0
                && cosines.count == tokens * headSize / 2 && sines.count == cosines.count,
            "rotation of \(x.count) elements in \(heads) heads of \(headSize)")
        unsafe x.withUnsafeMutableBufferPointer { x in
            unsafe cosines.withUnsafeBufferPointer { cosines in
                unsafe sines.withUnsafeBufferPointer { sines in
                    guard let x = x.baseAddress, let cosines = cosines.baseAddress,
                        let sines = sines.baseAddress
                    else { return }
                    unsafe cambium_rope(x, cosines, sines, tokens, heads, headSize)
                }
            }
        }
    }

    /// Writes new keys as columns of a key cache.
    ///
    /// - Parameters:
    ///   - x: [tokens, width], for positions `first`….
    ///   - keys: [capacity / 16, width, 16]: blocks of 16 positions, so that a head's part of a block is adjacent.
    package static func storeKeys(
        _ x: Span<Float>, width: Int, first: Int, capacity: Int, into keys: inout MutableSpan<Float>
    ) {
        let tokens = x.count / width
        precondition(
            x.count == tokens * width && keys.count == width * capacity && capacity % 16 == 0
                && first >= 0 && first + tokens <= capacity,
            "\(x.count) key elements at \(first) of \(keys.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe keys.withUnsafeMutableBufferPointer { keys in
                guard let x = x.baseAddress, let keys = keys.baseAddress else { return }
                unsafe cambium_store_keys(x, tokens, width, first, keys)
            }
        }
    }
}
