// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

internal import CCambium
internal import Cambium
internal import Glibc
internal import Reporting

// What C gets back.

typealias TextResult = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// Gives a text, which `cambium_free` takes back.
func give(_ text: String, _ result: TextResult?) throws {
    guard let result = unsafe result else { return }
    guard let copy = unsafe strdup(text) else {
        throw Failure(CAMBIUM_LIMIT, "there is no memory for a text of \(text.utf8.count) bytes")
    }
    unsafe result.pointee = copy
}

/// Gives a record as JSON.
func give(json value: some Encodable, _ result: TextResult?) throws {
    guard unsafe result != nil else { return }
    unsafe try give(JSONText.encode(value), result)
}

/// Gives an id of 64 digits.
func give(id: String, _ result: UnsafeMutablePointer<CChar>?) {
    guard let result = unsafe result else { return }
    for (position, digit) in id.utf8.prefix(64).enumerated() {
        unsafe result[position] = CChar(bitPattern: digit)
    }
    unsafe result[min(64, id.utf8.count)] = 0
}

/// Where a handle or a view goes.
///
/// - Throws: `usage` for NULL.
func place<Value>(
    _ result: UnsafeMutablePointer<Value>?, _ name: String
) throws -> UnsafeMutablePointer<Value> {
    guard let result = unsafe result else {
        throw Failure(CAMBIUM_USAGE, "there is no place for the \(name): it is NULL")
    }
    return unsafe result
}

extension cambium_view {
    @unsafe init(_ view: TensorView) throws {
        unsafe try self.init(
            view.bytes, dtype: view.dtype, shape: view.shape, isMapped: view.isMapped)
    }

    /// - Parameter isMapped: Whether the bytes stay as long as their snapshot; else a buffer of their own is made.
    @unsafe init(
        _ bytes: MappedBytes, dtype: String, shape: [Int], isMapped: Bool
    ) throws {
        unsafe self.init()
        guard shape.count <= Int(CAMBIUM_MAX_RANK) else {
            throw Failure(
                CAMBIUM_TOO_LARGE,
                "a tensor of \(shape.count) dimensions; a view tells at most \(CAMBIUM_MAX_RANK)")
        }
        unsafe data = bytes.start
        unsafe count = UInt64(bytes.count)
        unsafe flags = isMapped ? UInt32(CAMBIUM_VIEW_MAPPED) : 0
        unsafe rank = UInt32(shape.count)
        unsafe withUnsafeMutableBytes(of: &self.shape) { places in
            for (position, dimension) in shape.enumerated() {
                unsafe places.storeBytes(
                    of: Int64(dimension), toByteOffset: 8 * position, as: Int64.self)
            }
        }
        unsafe withUnsafeMutableBytes(of: &self.dtype) { places in
            for (position, letter) in dtype.utf8.prefix(15).enumerated() {
                unsafe places[position] = letter
            }
        }
        unsafe owner = isMapped ? nil : Handles.make(bytes)
    }
}

@c @implementation
public func cambium_free(_ memory: UnsafeMutableRawPointer!) { unsafe free(memory) }
