/// Sizes around the 16 lanes: none, one, less, exactly, more, odd and large.
let kernelSizes = [0, 1, 2, 15, 16, 17, 31, 33, 255, 1000]
