// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium_quantize.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_quantize_model(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!,
    _ options: UnsafePointer<cambium_quantize_options>!,
    _ commit: UnsafePointer<cambium_commit_options>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let options = unsafe options?.pointee ?? cambium_quantize_options()
        let parts = unsafe QuantizedParts(
            experts: try form(options.experts, "options.experts"),
            dense: try form(options.dense, "options.dense"),
            routers: try form(options.routers, "options.routers", isRouter: true),
            embeddings: try form(options.embeddings, "options.embeddings"))
        let text =
            unsafe options.text == nil
            ? nil : Array(try bytes(options.text, options.text_count, "options.text"))
        let limit = unsafe options.limit == 0 ? nil : Int(clamping: options.limit)
        let result = try unsafe store.quantize(
            CambiumC.text(revision, "revision"), parts, text: text, limit: limit,
            CommitOptions(commit), threads: threads(options.threads),
            progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

/// A form by its name; nil for NULL.
///
/// - Parameter isRouter: Then `int8` is another name of q8.
private func form(
    _ name: UnsafePointer<CChar>?, _ what: String, isRouter: Bool = false
) throws -> QuantizedForm? {
    guard let name = unsafe try optionalText(name, what) else { return nil }
    if isRouter, name == "int8" { return .q8 }
    guard let form = QuantizedForm(rawValue: name) else {
        throw Failure(
            CAMBIUM_USAGE,
            "there is no form '\(name)'; there are "
                + QuantizedForm.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return form
}
