package events

// SetExtra puts a part into Extra under its EVE name.
func (e *Event) SetExtra(name string, part any) {
	if e.Extra == nil {
		e.Extra = map[string]any{}
	}
	e.Extra[name] = part
}
