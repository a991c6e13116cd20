internal import CLMDB
internal import Elements
internal import Files
internal import Glibc
internal import Synchronization

/// The data file, read beside its map: what is copied with pread(2) does not count as memory of this
/// process, while a page fault maps whole folios of the system's cache, up to 2 MiB for one byte.
extension Environment {
    /// Copies bytes of the map without touching it.
    ///
    /// - Parameters:
    ///   - address: Of a byte in the map, as ``MappedBytes`` of this environment lend it.
    ///   - buffer: Filled.
    /// - Throws: `.corrupt` when the file ends before; `.io` when the address is not in the map or the
    ///   file cannot be read.
    package func copy(
        from address: UInt, into buffer: inout MutableRawSpan
    ) throws {
        let descriptor = try descriptor()
        let start = try fileOffset(of: address)
        let count = readAll(descriptor, into: &buffer, at: start)
        guard count >= 0 else { throw storeError("read", path + "/data.mdb") }
        guard count == buffer.byteCount else {
            throw CambiumError(
                .corrupt,
                "\(path)/data.mdb ends before byte \(start + buffer.byteCount); run `cambium verify`"
            )
        }
    }

    /// Asks the system to read what lies at some addresses of the map into its cache, in the background.
    ///
    /// Advice only (posix_fadvise(2)): what fails shows when the bytes are read.
    package func willNeed(_ addresses: [UInt], size: Int) throws {
        let descriptor = try descriptor()
        for address in addresses {
            let start = try fileOffset(of: address)
            for offset in stride(from: 0, to: size, by: MappedBytes.adviceBytes) {
                _ = posix_fadvise(
                    descriptor, start + offset, min(MappedBytes.adviceBytes, size - offset),
                    POSIX_FADV_WILLNEED)
            }
        }
    }

    private func descriptor() throws -> Int32 {
        var descriptor: Int32 = -1
        unsafe try check(mdb_env_get_fd(handle, &descriptor), "mdb_env_get_fd")
        return descriptor
    }

    /// LMDB maps the file from its first byte (mdb_env_map), in one piece.
    private func fileOffset(of address: UInt) throws -> Int {
        if mapStart.load(ordering: .relaxed) == 0 {
            guard let mapping = MappedBytes.mapping(of: address) else {
                throw CambiumError(.io, "the store's map cannot be found in /proc/self/maps")
            }
            mapStart.store(mapping.addresses.lowerBound - UInt(mapping.offset), ordering: .relaxed)
        }
        let start = mapStart.load(ordering: .relaxed)
        guard address >= start, address - start < UInt(mapSize) else {
            throw CambiumError(.io, "address \(address) does not lie in the store's map")
        }
        return Int(address - start)
    }
}
