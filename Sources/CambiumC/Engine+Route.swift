// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_route(
    _ handle: OpaquePointer!, _ text: UnsafeRawPointer!, _ count: UInt64,
    _ layers: UnsafePointer<Int64>!, _ layer_count: UInt64, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!, _ routes: UnsafeMutablePointer<cambium_routes>!
) -> cambium_code {
    call {
        let result = unsafe try place(routes, "routes")
        let model = unsafe try engine(handle)
        let wanted = unsafe try elements(layers, layer_count, "layers").map { Int($0) }
        let report = unsafe reporter(progress, context)
        var table = RouteTable(layers: wanted.isEmpty ? model.expertLayers : wanted)
        try model.routes(
            unsafe Array(bytes(text, count, "text")), layers: wanted.isEmpty ? nil : wanted
        ) { route in
            if try table.add(route) { try report(Progress(tokens: table.tokens.count)) }
            return true
        }
        unsafe result.pointee = table.arrays()
    }
}

/// Routes as they come, which become arrays when all are there.
private struct RouteTable {
    private let layers: [Int]
    private(set) var tokens: [Int64] = []
    /// In the order of tokens, layers, heads.
    private var heads: [TokenRoute.Head] = []
    private var headCount = 0

    /// Each layer once, in ascending order, as routes come.
    init(layers: [Int]) { self.layers = Set(layers).sorted() }

    /// Takes the next route, and tells whether it was the first of a token.
    mutating func add(_ route: TokenRoute) throws -> Bool {
        let isNew = route.layer == layers.first
        if isNew { tokens.append(Int64(route.token)) }
        if headCount == 0 { headCount = route.heads.count }
        guard headCount == route.heads.count else {
            throw Failure(
                CAMBIUM_UNSUPPORTED,
                "the layers of this model have different numbers of heads; ask for one layer at a time"
            )
        }
        heads += route.heads
        return isNew
    }

    func arrays() -> cambium_routes {
        let picks = heads.reduce(0) { max($0, $1.experts.count) }
        var experts = [Int32](repeating: -1, count: heads.count * picks)
        var weights = [Float](repeating: 0, count: heads.count * picks)
        for (number, head) in heads.enumerated() {
            for (pick, expert) in head.experts.enumerated() {
                experts[number * picks + pick] = Int32(truncatingIfNeeded: expert)
                weights[number * picks + pick] = head.weights[pick]
            }
        }
        let held = RouteArrays(
            experts: MappedBytes(experts), weights: MappedBytes(weights),
            tokens: MappedBytes(tokens), layers: MappedBytes(layers.map { Int64($0) }))
        return unsafe cambium_routes(
            tokens: UInt64(tokens.count), layers: UInt64(layers.count), heads: UInt64(headCount),
            picks: UInt64(picks),
            experts: held.experts.start.assumingMemoryBound(to: Int32.self),
            weights: held.weights.start.assumingMemoryBound(to: Float.self),
            token_ids: held.tokens.start.assumingMemoryBound(to: Int64.self),
            layer_numbers: held.layers.start.assumingMemoryBound(to: Int64.self),
            owner: Handles.make(held))
    }
}

/// What the handle of routes keeps.
private struct RouteArrays: Sendable {
    let experts: MappedBytes
    let weights: MappedBytes
    let tokens: MappedBytes
    let layers: MappedBytes
}

extension Progress {
    fileprivate init(tokens: Int) { self.init("tokens", tokens, 0) }
}

extension MappedBytes {
    /// Numbers one after the other, in this machine's order, which is little-endian.
    init<Number: BitwiseCopyable>(_ numbers: [Number]) {
        let count = numbers.count * MemoryLayout<Number>.stride
        self.init(count: count, zeroed: false) { bytes in
            unsafe numbers.withUnsafeBytes { source in
                unsafe bytes.withUnsafeMutableBytes { unsafe $0.copyMemory(from: source) }
            }
        }
    }
}
