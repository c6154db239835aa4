package events

import (
	"reflect"
	"slices"
)

// Texts calls f with each text of the event that its traffic chose: addresses,
// names, headers, subjects, values that rules kept. f may put another text in its
// place. What the program itself says, hashes and fingerprints are left out. With
// change false f must leave the texts as they are, and nothing is copied; with
// true, lists and parts that others may hold as well are copied first.
func (e *Event) Texts(change bool, f func(*string)) {
	t := texts{change, f}
	if h := e.HTTP; h != nil {
		t.some(&h.Hostname, &h.URL, &h.UserAgent, &h.XFF, &h.ContentType, &h.Refer, &h.Method, &h.Protocol, &h.StatusString, &h.Redirect)
		t.headers(&h.RequestHeaders)
		t.headers(&h.ResponseHeaders)
	}
	if d := e.DNS; d != nil {
		t.dns(d)
	}
	if x := e.TLS; x != nil {
		t.some(&x.Subject, &x.IssuerDN, &x.SNI)
		t.list(&x.SubjectAltName)
		if c := x.Client; c != nil {
			t.some(&c.Subject, &c.IssuerDN)
		}
	}
	if s := e.SMTP; s != nil {
		t.some(&s.Helo, &s.MailFrom)
		t.list(&s.RcptTo)
	}
	if m := e.Email; m != nil {
		t.some(&m.From, &m.Subject, &m.Date, &m.MessageID, &m.XMailer)
		for _, l := range []*[]string{&m.To, &m.Cc, &m.URLs, &m.Attachment} {
			t.list(l)
		}
	}
	if e.FileInfo != nil {
		t.some(&e.FileInfo.Filename, &e.FileInfo.Magic)
	}
	if t.change {
		e.Files = slices.Clone(e.Files)
	}
	for i := range e.Files {
		t.some(&e.Files[i].Filename, &e.Files[i].Magic)
	}
	if d := e.DLP; d != nil {
		t.some(&d.Object.Name, &d.Object.Path)
		for i := range d.Findings {
			f(&d.Findings[i].Path)
		}
	}
	if m := e.Metadata; m != nil {
		t.variables(&m.Flowvars)
		t.variables(&m.Pktvars)
	}
	for _, k := range sortedKeys(e.Extra) {
		if v := t.any(e.Extra[k]); t.change {
			e.Extra[k] = v
		}
	}
}

// texts is one walk over an event's texts.
type texts struct {
	change bool
	f      func(*string)
}

func (t texts) some(list ...*string) {
	for _, s := range list {
		if *s != "" {
			t.f(s)
		}
	}
}

func (t texts) list(l *[]string) {
	if t.change {
		*l = slices.Clone(*l)
	}
	for i := range *l {
		t.f(&(*l)[i])
	}
}

func (t texts) headers(l *[]HTTPHeader) {
	if t.change {
		*l = slices.Clone(*l)
	}
	for i := range *l {
		t.some(&(*l)[i].Name, &(*l)[i].Value)
	}
}

func (t texts) dns(d *DNS) {
	t.some(&d.RRName)
	if t.change {
		d.Queries = slices.Clone(d.Queries)
	}
	for i := range d.Queries {
		t.f(&d.Queries[i].RRName)
	}
	for _, l := range []*[]DNSAnswer{&d.Answers, &d.Authorities, &d.Additionals} {
		if t.change {
			*l = slices.Clone(*l)
		}
		for i := range *l {
			a := &(*l)[i]
			t.f(&a.RRName)
			if a.RData != nil {
				if v := t.any(a.RData); t.change {
					a.RData = v
				}
			}
		}
	}
	if len(d.Grouped) > 0 {
		if v, ok := t.any(d.Grouped).(map[string][]string); ok && t.change {
			d.Grouped = v
		}
	}
}

func (t texts) variables(l *[]map[string]any) {
	for i := range *l {
		if v, ok := t.any((*l)[i]).(map[string]any); ok && t.change {
			(*l)[i] = v
		}
	}
}

// maxTextDepth bounds how deep texts lie in the parts of an event.
const maxTextDepth = 16

// any walks a value of any type and gives it back, or what stands in its place.
func (t texts) any(v any) any {
	switch s := v.(type) {
	case nil:
		return nil
	case string:
		t.f(&s)
		return s
	}
	return t.walk(reflect.ValueOf(v), 0).Interface()
}

func (t texts) walk(v reflect.Value, depth int) reflect.Value {
	if depth > maxTextDepth {
		return v
	}
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		if t.f(&s); t.change {
			return reflect.ValueOf(s).Convert(v.Type())
		}
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return v
		}
		in := t.walk(v.Elem(), depth+1)
		if !t.change {
			return v
		}
		if v.Kind() == reflect.Interface {
			return in
		}
		p := reflect.New(in.Type())
		p.Elem().Set(in)
		return p
	case reflect.Slice:
		if v.Len() == 0 || v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		out := v
		if t.change {
			out = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		}
		for i := range v.Len() {
			if x := t.walk(v.Index(i), depth+1); t.change {
				out.Index(i).Set(x)
			}
		}
		return out
	case reflect.Map:
		if v.Len() == 0 || v.Type().Key().Kind() != reflect.String {
			return v
		}
		out := v
		if t.change {
			out = reflect.MakeMapWithSize(v.Type(), v.Len())
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int {
			if a.String() < b.String() {
				return -1
			}
			return 1
		})
		for _, k := range keys {
			if x := t.walk(v.MapIndex(k), depth+1); t.change {
				out.SetMapIndex(k, x)
			}
		}
		return out
	case reflect.Struct:
		out := v
		if t.change {
			out = reflect.New(v.Type()).Elem()
			out.Set(v)
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if x := t.walk(v.Field(i), depth+1); t.change {
				out.Field(i).Set(x)
			}
		}
		return out
	}
	return v
}
