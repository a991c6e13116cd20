/// What an answer took.
struct UsageAnswer: Encodable, Sendable {
    let prompt_tokens: Int
    let completion_tokens: Int
    let total_tokens: Int

    init(prompt: Int, new: Int) {
        prompt_tokens = prompt
        completion_tokens = new
        total_tokens = prompt + new
    }
}
