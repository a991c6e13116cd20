internal import BenchmarkSupport
internal import Foundation
internal import Glibc
internal import Synchronization
internal import Tensors

/// What the machine's memory gives: the store's own data file, mapped once more and all of it present.
@safe final class Floors {
    private let map: UnsafeRawPointer
    private let length: Int
    private let team: ThreadTeam
    private var round: UInt64 = 0

    init(_ store: String, threads: Int) throws {
        let names = try FileManager.default.subpathsOfDirectory(atPath: store)
        let sizes = try names.map { name -> (Int, String) in
            let facts = try FileManager.default.attributesOfItem(atPath: "\(store)/\(name)")
            return ((facts[.size] as? Int) ?? 0, "\(store)/\(name)")
        }
        guard let (size, path) = sizes.max(by: { $0.0 < $1.0 }) else {
            throw Failure("\(store) is empty")
        }
        let descriptor = unsafe Glibc.open(path, O_RDONLY)
        defer { close(descriptor) }
        let memory = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw Failure("\(path) cannot be mapped")
        }
        // MADV_POPULATE_READ; not in this C library's headers.
        _ = unsafe madvise(memory, size, 22)
        unsafe map = UnsafeRawPointer(memory)
        length = size
        team = ThreadTeam(count: threads)
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(mutating: map), length) }

    /// Microseconds for 128 random rows of 2 KiB, the reads of one token of 8 heads with 16 picks.
    func rows(tokens: Int) -> Figures {
        round += 1
        let (slots, seed, team) = (UInt64(length / 2048), round, team)
        nonisolated(unsafe) let map = unsafe map
        let sink = Atomic<UInt32>(0)
        let (spent, _) = seconds {
            team.forEach(tokens) { token in
                var state = ExpertData.mix(seed << 32 + UInt64(token))
                var sum = SIMD16<UInt32>()
                for _ in 0..<128 {
                    state = ExpertData.mix(state &+ 0x9E37_79B9_7F4A_7C15)
                    let row = unsafe map + Int(state % slots) * 2048
                    for offset in stride(from: 0, to: 2048, by: 64) {
                        sum &+= unsafe row.load(fromByteOffset: offset, as: SIMD16<UInt32>.self)
                    }
                }
                sink.store(sum.wrappedSum(), ordering: .relaxed)
            }
        }
        return ["us": spent / Double(tokens) * 1e6]
    }

    /// Bytes per second of reading on from one end.
    func stream() -> Figures {
        let bytes = min(length, 1 << 30) / 64 * 64
        nonisolated(unsafe) let map = unsafe map
        let sink = Atomic<UInt32>(0)
        let (parts, team) = (64, team)
        let (spent, _) = seconds {
            team.forEach(parts) { part in
                var sum = SIMD16<UInt32>()
                for line in bytes / 64 * part / parts..<bytes / 64 * (part + 1) / parts {
                    sum &+= unsafe map.load(fromByteOffset: line * 64, as: SIMD16<UInt32>.self)
                }
                sink.store(sum.wrappedSum(), ordering: .relaxed)
            }
        }
        return ["gb_per_s": Double(bytes) / spent / 1e9]
    }
}
