/// The colours and letters of pictures and pages, for light and dark screens and for paper.
package enum Palette {
    /// Colours that tell things apart, before they come again.
    package static let count = 8

    /// The class that fills with one of them.
    package static func fill(_ number: Int) -> String { "f\(number % count)" }
    /// The class that draws lines in one of them.
    package static func stroke(_ number: Int) -> String { "s\(number % count)" }

    /// Programs that know no media queries (rsvg-convert) draw as for light screens.
    package static let css: StaticString = """
        .picture{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
        .picture text{fill:#1f2328}
        .picture .faint{fill:#5b636d}
        .picture .small{font-size:11px}
        .picture .strong{font-weight:600}
        .picture .mono{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:11px}
        .picture .link{fill:#0a58ca}
        .picture .name{fill:#0a58ca;font-weight:600;font-size:11px}
        .picture .plate{fill:#e4eefc;stroke:none}
        .picture .on{fill:#ffffff}
        .ground{fill:#ffffff}
        .grid{stroke:#e4e7eb;stroke-width:1}
        .rule{stroke:#aab1b9;stroke-width:1}
        .edge{fill:none;stroke-width:1.75}
        .dot{stroke:#ffffff;stroke-width:1.5}
        .hole{fill:#eef0f2}
        .heat{fill:#1f5fbf}
        .bad{fill:#c8372d}
        .good{fill:#1a7f4b}
        .aged{fill:#9aa2ab}
        .f0{fill:#2f6fde}.f1{fill:#d9730d}.f2{fill:#2b9a66}.f3{fill:#b4439c}
        .f4{fill:#8d6b2f}.f5{fill:#0e8fa6}.f6{fill:#7a5cd6}.f7{fill:#c43d3d}
        .s0{stroke:#2f6fde}.s1{stroke:#d9730d}.s2{stroke:#2b9a66}.s3{stroke:#b4439c}
        .s4{stroke:#8d6b2f}.s5{stroke:#0e8fa6}.s6{stroke:#7a5cd6}.s7{stroke:#c43d3d}
        @media screen and (prefers-color-scheme:dark){
        .picture text{fill:#e6e9ed}
        .picture .faint{fill:#9aa4af}
        .picture .link{fill:#7db2ff}
        .picture .name{fill:#9cc4ff}
        .picture .plate{fill:#1d2d45}
        .picture .on{fill:#0b1017}
        .ground{fill:#11151a}
        .grid{stroke:#262d35}
        .rule{stroke:#59626d}
        .dot{stroke:#11151a}
        .hole{fill:#1c2228}
        .heat{fill:#6ea8ff}
        .bad{fill:#ff7b70}
        .good{fill:#4fc98a}
        .aged{fill:#69737e}
        .f0{fill:#6ea8ff}.f1{fill:#ffab5c}.f2{fill:#5fd39b}.f3{fill:#e98bd4}
        .f4{fill:#cfae72}.f5{fill:#5cc9dd}.f6{fill:#b39dff}.f7{fill:#ff8585}
        .s0{stroke:#6ea8ff}.s1{stroke:#ffab5c}.s2{stroke:#5fd39b}.s3{stroke:#e98bd4}
        .s4{stroke:#cfae72}.s5{stroke:#5cc9dd}.s6{stroke:#b39dff}.s7{stroke:#ff8585}
        }

        """
}
