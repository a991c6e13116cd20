internal import Elements

/// Files that users take for safetensors, told by how they begin.
enum ForeignFile {
    /// What a file is instead, and what to do; nil for one that may be safetensors.
    static func explanation(_ start: [UInt8]) -> String? {
        func begins(_ text: String) -> Bool { start.starts(with: text.utf8) }
        if begins("version https://git-lfs.github.com/") {
            return "is a git-lfs pointer and not the file that it stands for: fetch that with "
                + "`git lfs pull` in its repository"
        }
        if begins("GGUF") {
            return "is a GGUF file of llama.cpp: commit the safetensors that it was converted from"
        }
        // A zip archive is PyTorch's form since 1.6; before, protocol 2 of pickle.
        if begins("PK\u{3}\u{4}") || start.starts(with: [0x80, 2]) {
            return
                "is in PyTorch's pickle form, which can run code when it is read: save it as safetensors "
                + "(safetensors.torch.save_file, or save_pretrained with safe_serialization)"
        }
        if begins("<!DOCTYPE") || begins("<html") {
            return "is a web page, such as an error or a login: download the file itself"
        }
        return nil
    }
}
