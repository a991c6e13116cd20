// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium_report.h, which users read.

public import CCambium
internal import Cambium
internal import Pages
internal import Pictures
internal import Reporting

@c @implementation
public func cambium_report(
    _ handle: OpaquePointer!, _ revisions: UnsafePointer<UnsafePointer<CChar>?>!,
    _ revision_count: UInt64, _ title: UnsafePointer<CChar>!,
    _ html: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let figures = try unsafe store.figures(texts(revisions, revision_count, "revisions"))
        let title = unsafe try optionalText(title, "title")
        let folder = store.path.split(separator: "/").last.map(String.init)
        let page = try Page(figures, title: title ?? folder ?? "store")
        unsafe try give(page.markup.text, html)
    }
}

@c @implementation
public func cambium_figure(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!,
    _ revisions: UnsafePointer<UnsafePointer<CChar>?>!, _ revision_count: UInt64,
    _ form: UnsafePointer<CChar>!, _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let wanted = unsafe try text(name, "name")
        guard let name = FigureName(rawValue: wanted) else {
            let names = FigureName.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(CAMBIUM_USAGE, "there is no figure '\(wanted)'; there are \(names)")
        }
        let form = unsafe try optionalText(form, "form") ?? "json"
        let figures = try unsafe store.figures(texts(revisions, revision_count, "revisions"))
        let figure = try name.figure(of: figures)
        switch form {
        case "json": unsafe try give(JSONText.encode(figure.data), result)
        case "csv": unsafe try give(figure.table.commaSeparated, result)
        case "svg": unsafe try give(figure.svg().text, result)
        default:
            throw Failure(CAMBIUM_USAGE, "there is no form '\(form)'; there are json, csv and svg")
        }
    }
}
