// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_generate(
    _ handle: OpaquePointer!, _ prompts: UnsafePointer<cambium_file>!, _ prompt_count: UInt64,
    _ sampling: UnsafePointer<cambium_sampling>!, _ receiver: cambium_text_receiver!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let model = unsafe try engine(handle)
        let wishes = unsafe try SamplingWishes(sampling)
        let results = try unsafe model.generate(
            prompts: contents(prompts, prompt_count, "prompts"), count: wishes.count,
            sampling: wishes.options, stops: wishes.stops, pastEnd: wishes.pastEnd,
            threads: wishes.threads
        ) { prompt, byte in
            guard let receiver = unsafe receiver else { return true }
            return unsafe withUnsafePointer(to: CChar(bitPattern: byte)) {
                unsafe receiver(context, UInt64(prompt), $0, 1) == 0
            }
        }
        unsafe try give(json: results, json)
    }
}

@c @implementation
public func cambium_chat_prompt(
    _ handle: OpaquePointer!, _ chat: UnsafePointer<CChar>!,
    _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let model = unsafe try engine(handle)
        let chat = unsafe try CambiumC.text(chat, "chat")
        unsafe try give(model.prompt(of: Chat(json: Array(chat.utf8))), text)
    }
}

@c @implementation
public func cambium_chat(
    _ handle: OpaquePointer!, _ chat: UnsafePointer<CChar>!,
    _ sampling: UnsafePointer<cambium_sampling>!, _ receiver: cambium_text_receiver!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let model = unsafe try engine(handle)
        let chat = unsafe try Chat(json: Array(CambiumC.text(chat, "chat").utf8))
        let wishes = unsafe try SamplingWishes(sampling)
        let result = try model.generate(
            chat, count: wishes.count, sampling: wishes.options, stops: wishes.stops,
            pastEnd: wishes.pastEnd, threads: wishes.threads
        ) { byte in
            guard let receiver = unsafe receiver else { return true }
            return unsafe withUnsafePointer(to: CChar(bitPattern: byte)) {
                unsafe receiver(context, 0, $0, 1) == 0
            }
        }
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_generate_tokens(
    _ handle: OpaquePointer!, _ prompt: UnsafePointer<Int64>!, _ prompt_count: UInt64,
    _ sampling: UnsafePointer<cambium_sampling>!, _ receiver: cambium_token_receiver!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let model = unsafe try engine(handle)
        let wishes = unsafe try SamplingWishes(sampling)
        let ends = wishes.pastEnd ? [] : model.endTokens
        let result = try unsafe model.generate(
            tokens: elements(prompt, prompt_count, "prompt").map { Int($0) }, count: wishes.count,
            sampling: wishes.options, stops: wishes.stopTokens.union(ends), threads: wishes.threads
        ) { token in
            guard let receiver = unsafe receiver else { return true }
            return unsafe receiver(context, Int64(token)) == 0
        }
        unsafe try give(json: result, json)
    }
}

/// How texts are to go on, checked.
private struct SamplingWishes {
    let count: Int
    let options: SamplingOptions
    let stops: [[UInt8]]
    let stopTokens: Set<Int>
    let pastEnd: Bool
    let threads: Int

    init(_ pointer: UnsafePointer<cambium_sampling>?) throws {
        guard let sampling = unsafe pointer?.pointee else {
            throw Failure(CAMBIUM_USAGE, "sampling is NULL; it says how many tokens are wanted")
        }
        guard let count = unsafe Int(exactly: sampling.count), count >= 0 else {
            throw Failure(CAMBIUM_USAGE, "sampling.count is negative")
        }
        let (temperature, topP) = unsafe (sampling.temperature, sampling.top_p)
        guard (0...100).contains(temperature) else {
            throw Failure(CAMBIUM_USAGE, "sampling.temperature is \(temperature); give 0 to 100")
        }
        guard topP >= 0, topP <= 1 else {
            throw Failure(
                CAMBIUM_USAGE, "sampling.top_p is \(topP); give more than 0, at most 1")
        }
        self.count = count
        options = unsafe SamplingOptions(
            temperature: temperature, topP: topP == 0 ? 1 : topP, seed: sampling.seed)
        stops = unsafe try contents(sampling.stops, sampling.stop_count, "sampling.stops")
        stopTokens = Set(
            unsafe try elements(
                sampling.stop_tokens, sampling.stop_token_count, "sampling.stop_tokens"
            ).map { Int($0) })
        pastEnd = unsafe sampling.past_end != 0
        threads = unsafe try CambiumC.threads(sampling.threads)
    }
}

/// The contents of files whose names do not matter.
private func contents(
    _ start: UnsafePointer<cambium_file>?, _ count: UInt64, _ name: String
) throws -> [[UInt8]] {
    var contents: [[UInt8]] = []
    let all = unsafe try elements(start, count, name)
    for position in all.indices {
        let file = unsafe all[position]
        contents.append(unsafe Array(try bytes(file.data, file.count, "one of \(name)")))
    }
    return contents
}
