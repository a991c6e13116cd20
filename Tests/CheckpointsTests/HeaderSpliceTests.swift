import Checkpoints
import Elements
import Foundation
import Testing

@Suite("Headers kept byte for byte")
struct HeaderSpliceTests {
    private let folder = ScratchFolder()

    /// Writes the file's tensors again as its form says, and gives the bytes.
    private func rewritten(_ file: SafetensorsFile, _ splice: HeaderSplice?) throws -> [UInt8] {
        let path = "\(folder.path)/again.safetensors"
        let form = try file.form()
        let tensors = file.header.tensors
        let isAsked = try SafetensorsWriter.write(
            tensors.map { TensorEntry($0.name, $0.shape) }, metadata: file.header.metadata?.sorted,
            ordered: !form.isInFileOrder, splice: splice, to: path
        ) { (position, sink: inout TensorSink) in
            let bytes = file.bytes(of: position)
            try sink.append(bytes.bytes)
        }
        #expect(isAsked || splice != nil)
        return try contents(path)
    }

    @Test(
        "any valid header is written again as it was",
        arguments: [
            // Padding of any amount and kind, or none.
            "{\(member())}", "{\(member())}       ", "{\(member())}\n\t ",
            // Spaces, and the order of fields, tensors and metadata.
            #"{ "a" : { "shape" : [ 2 ] , "data_offsets":[0, 2],"dtype":"U8" } }"#,
            "{\(member("b", "U8", "[1]", "[1,2]")),\(member("a", "U8", "[1]", "[0,1]"))}",
            "{\(member("a", "U8", "[1]", "[1,2]")),\(member("b", "U8", "[1]", "[0,1]"))}",
            "{\(member("b", "U8", "[1]", "[0,1]")),\(member("a", "U8", "[1]", "[1,2]"))}",
            #"{\#(member()),"__metadata__":{"z":"1","a":"2"}}"#,
            #"{"__metadata__":{"z":"1","a":"2","é":"\u00e9\/"},\#(member())}"#,
            #"{"__metadata__":null,\#(member())}"#, #"{"__metadata__":{},\#(member())}"#,
            // Escapes in names, and tensors without bytes, which share their place.
            #"{"\u0061\/\"":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
            "{\(member()),\(member("z", "F32", "[0]", "[2,2]")),\(member("y", "U8", "[0,4]", "[0,0]"))}",
            "{\(member("y", "U8", "[0]", "[2,2]")),\(member("z", "U8", "[0]", "[2,2]")),\(member())}",
        ])
    func bytes(header: String) throws {
        let original = safetensors(header, data: [7, 9])
        let file = try open(original)
        #expect(try rewritten(file, file.form().splice) == original)
    }

    @Test("what Python writes needs no splice")
    func canonical() throws {
        let path = "\(folder.path)/x.safetensors"
        try write([tensor("b", .f32, [2]), tensor("a", .u8, [3])], metadata: ["k": "v"], to: path)
        let form = try SafetensorsFile(opening: path).form()
        #expect(form.isInFileOrder && form.splice == nil)
    }

    @Test("a splice that would describe other tensors is left out, whatever it holds")
    func foreign() throws {
        let file = try open(safetensors("{\(member())}  ", data: [7, 9]))
        let plain = try rewritten(file, nil)
        let other = "{\(member("b"))}"
        for splice in [
            HeaderSplice(prefix: 0, suffix: 0, middle: Array(other.utf8)),
            HeaderSplice(prefix: 0, suffix: 0, middle: []),
            HeaderSplice(prefix: 1 << 20, suffix: 0, middle: []),
            HeaderSplice(prefix: 8, suffix: 1 << 20, middle: []),
            HeaderSplice(
                prefix: 0, suffix: 0,
                middle: Array("{\(member()),\(member("c", "U8", "[0]"))}".utf8)
            ),
            HeaderSplice(
                prefix: 0, suffix: 0,
                middle: Array(#"{"__metadata__":{"a":"b"},\#(member())}"#.utf8)
            ),
        ] {
            #expect(try rewritten(file, splice) == plain)
            let entries = file.header.tensors.map { TensorEntry($0.name, $0.shape) }
            #expect(try !splice.fits(entries, nil, ordered: false))
        }
    }
}
