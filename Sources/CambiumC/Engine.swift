// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium
internal import Glibc

func engine(_ handle: OpaquePointer?) throws -> MappedModel {
    unsafe try Handles.find(handle, as: MappedModel.self, "engine")
}

/// Threads that share the work: as many as are told, or as there are processors.
func threads(_ count: Int32) throws -> Int {
    guard (0...1024).contains(count) else {
        throw Failure(CAMBIUM_USAGE, "\(count) threads; give 1 to 1024, or 0 for the processors")
    }
    return count > 0 ? Int(count) : min(1024, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

@c @implementation
public func cambium_engine_open(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!, _ memory_limit: UInt64,
    _ flags: UInt32, _ engine: UnsafeMutablePointer<OpaquePointer?>!
) -> cambium_code {
    call {
        let result = unsafe try place(engine, "engine")
        let options = ModelOptions(
            memoryLimit: memory_limit == 0 ? nil : Int(clamping: memory_limit),
            warms: !flags.has(CAMBIUM_ENGINE_COLD))
        let model = try unsafe store(handle).model(text(revision, "revision"), options)
        unsafe result.pointee = Handles.make(model)
    }
}

/// What a model is that runs.
private struct EngineSummary: Encodable {
    let id: String
    let takesBytes: Bool
    let vocabularySize: Int
    let contextLength: Int
    let slides: Bool
    let endTokens: [Int]
    let expertLayers: [Int]
    let adapters: [String]
    let unused: [UnusedInfo]
    let hasTokenizer: Bool

    init(_ model: MappedModel) throws {
        id = model.id
        takesBytes = model.takesBytes
        vocabularySize = model.vocabularySize
        contextLength = model.contextLength
        slides = model.slides
        endTokens = model.endTokens
        expertLayers = model.expertLayers
        adapters = model.adapters
        unused = model.unused
        hasTokenizer = try model.tokenizer() != nil
    }
}

@c @implementation
public func cambium_engine_summary(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: EngineSummary(engine(handle)), json) }
}

@c @implementation
public func cambium_engine_statistics(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: engine(handle).statistics, json) }
}

@c @implementation
public func cambium_evaluate(
    _ handle: OpaquePointer!, _ text: UnsafeRawPointer!, _ count: UInt64, _ limit: UInt64,
    _ threads: Int32, _ progress: cambium_progress!, _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let model = unsafe try engine(handle)
        let result = try unsafe model.evaluate(
            Array(bytes(text, count, "text")), limit: limit == 0 ? nil : Int(clamping: limit),
            threads: CambiumC.threads(threads), progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_tokenize(
    _ handle: OpaquePointer!, _ text: UnsafeRawPointer!, _ count: UInt64,
    _ view: UnsafeMutablePointer<cambium_view>!
) -> cambium_code {
    call {
        let result = unsafe try place(view, "view")
        let tokens = try unsafe engine(handle).tokens(of: Array(bytes(text, count, "text")))
        unsafe result.pointee = try cambium_view(
            MappedBytes(tokens.map { Int64($0) }), dtype: "I64", shape: [tokens.count],
            isMapped: false)
    }
}

@c @implementation
public func cambium_detokenize(
    _ handle: OpaquePointer!, _ tokens: UnsafePointer<Int64>!, _ count: UInt64,
    _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let model = unsafe try engine(handle)
        let ids = unsafe try elements(tokens, count, "tokens").map { Int($0) }
        let made =
            try model.tokenizer()?.decode(ids)
            ?? String(decoding: ids.compactMap { UInt8(exactly: $0) }, as: UTF8.self)
        unsafe try give(made, text)
    }
}

@c @implementation
public func cambium_logits(
    _ handle: OpaquePointer!, _ tokens: UnsafePointer<Int64>!, _ count: UInt64, _ threads: Int32,
    _ view: UnsafeMutablePointer<cambium_view>!
) -> cambium_code {
    call {
        let result = unsafe try place(view, "view")
        let model = unsafe try engine(handle)
        let rows = try unsafe model.logits(
            elements(tokens, count, "tokens").map { Int($0) }, threads: CambiumC.threads(threads))
        unsafe result.pointee = try cambium_view(
            MappedBytes(rows.flatMap { $0 }), dtype: "F32",
            shape: [rows.count, model.vocabularySize], isMapped: false)
    }
}
