package protocol

// Whole gives the sink an object of which b is all that there is; without any there is
// no object. Its length is filled in.
func (e *Env) Whole(o *Object, b []byte) {
	if len(b) == 0 {
		return
	}
	o.Total, o.Exact = uint64(len(b)), true
	e.Objects.OpenObject(o)
	e.Objects.ObjectData(o, b)
	e.Objects.CloseObject(o, ObjectClosed)
}
