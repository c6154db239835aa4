package sandbox

// deniedArch is empty: this architecture has no older forms of the calls.
var deniedArch []uint32
