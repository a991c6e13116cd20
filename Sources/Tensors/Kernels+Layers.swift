internal import CKernels
package import Elements

extension Kernels {
    /// One neuron expert: out += gate * GELU(u · x) * v.
    ///
    /// - Parameters:
    ///   - rows: The row u, then the row v, little-endian at any alignment: an expert's bytes as
    ///     they are stored, [2, x.count].
    ///   - type: F32 is read in place; other float types are converted for this use.
    ///   - x: [width].
    ///   - out: [width].
    package static func addNeuron(
        _ rows: RawSpan, type: ElementType, gate: Float, x: Span<Float>,
        into out: inout MutableSpan<Float>
    ) {
        precondition(
            rows.byteCount * 8 == 2 * x.count * type.bitWidth && out.count == x.count,
            "a neuron of \(rows.byteCount) bytes for \(x.count) -> \(out.count) elements")
        if type == .f32 {
            unsafe rows.withUnsafeBytes {
                unsafe addNeuron($0.baseAddress, gate, x, &out)
            }
        } else {
            var converted = FloatBuffer(count: 2 * x.count)
            var span = converted.mutableSpan(0..<converted.count)
            convertToFloat(rows, type: type, into: &span)
            unsafe converted.span.withUnsafeBufferPointer {
                unsafe addNeuron(UnsafeRawPointer($0.baseAddress), gate, x, &out)
            }
        }
    }

    private static func addNeuron(
        _ rows: UnsafeRawPointer?, _ gate: Float, _ x: Span<Float>,
        _ out: inout MutableSpan<Float>
    ) {
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let rows = unsafe rows, let x = x.baseAddress,
                    let target = out.baseAddress
                else { return }
                unsafe cambium_neuron(x, rows, out.count, gate, target)
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
    ///   - keys: [width, capacity].
    package static func storeKeys(
        _ x: Span<Float>, width: Int, first: Int, capacity: Int, into keys: inout MutableSpan<Float>
    ) {
        let tokens = x.count / width
        precondition(
            x.count == tokens * width && keys.count == width * capacity
                && first >= 0 && first + tokens <= capacity,
            "\(x.count) key elements at \(first) of \(keys.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe keys.withUnsafeMutableBufferPointer { keys in
                guard let x = x.baseAddress, let keys = keys.baseAddress else { return }
                unsafe cambium_store_keys(x, tokens, width, first, capacity, keys)
            }
        }
    }

    /// Causal attention over a key and value cache that already holds these tokens.
    ///
    /// - Parameters:
    ///   - queries: [tokens, heads * headSize], for positions `first`….
    ///   - keys: [heads * headSize, capacity], one column per position.
    ///   - values: [capacity, heads * headSize].
    ///   - capacity: Positions that the caches have room for, a multiple of 16.
    ///   - scratch: [capacity].
    ///   - out: [tokens, heads * headSize].
    package static func attend(
        _ queries: Span<Float>, keys: Span<Float>, values: Span<Float>, first: Int, heads: Int,
        headSize: Int, capacity: Int, scratch: inout MutableSpan<Float>,
        into out: inout MutableSpan<Float>
    ) {
        let width = heads * headSize
        let tokens = queries.count / width
        precondition(
            queries.count == tokens * width && out.count == queries.count && capacity % 16 == 0
                && keys.count == width * capacity && values.count == keys.count
                && first >= 0 && first + tokens <= capacity && scratch.count == capacity,
            "attention of \(queries.count) elements at \(first) over \(keys.count)")
        unsafe queries.withUnsafeBufferPointer { queries in
            unsafe keys.withUnsafeBufferPointer { keys in
                unsafe values.withUnsafeBufferPointer { values in
                    unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                        unsafe out.withUnsafeMutableBufferPointer { out in
                            guard let queries = queries.baseAddress, let keys = keys.baseAddress,
                                let values = values.baseAddress, let out = out.baseAddress,
                                let scratch = scratch.baseAddress
                            else { return }
                            unsafe cambium_attention(
                                queries, keys, values, tokens, first, heads, headSize, capacity,
                                scratch, out)
                        }
                    }
                }
            }
        }
    }
}
