package protocol

// Registry is the immutable set of protocols of a program.
type Registry struct {
	defs    [NumIDs]*Definition
	buffers map[string]BufferSpec
}
