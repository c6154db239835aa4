package classifiers

import (
	"bytes"
	"strings"
)

// Mask gives data with every value found in it replaced by asterisks, but for
// its last four characters at most, and whether anything was replaced. data is
// not changed; without a finding it is given back as it is. Cards, account
// numbers and secrets are masked whatever the confidence, other values from
// medium on; markings and addresses of machines are left. Card numbers within
// tokens, which are no finding, are masked as well, and values that a protocol's
// lengths stand beside.
func (s *Scanner) Mask(data []byte) ([]byte, bool) {
	out, changed := s.mask(data, Low, maskable)
	for _, bare := range unframed(data) {
		masked, more := s.mask(bare, Low, maskable)
		if !more {
			continue
		}
		if !changed {
			out, changed = bytes.Clone(data), true
		}
		for i, c := range masked {
			if c != bare[i] {
				out[i] = c
			}
		}
	}
	return out, changed
}

// MaskText is Mask for what events say of a transaction: names, addresses, URLs,
// subjects. What is of low confidence stays, since numbers in them are many, and
// how persons are reached, since an event says who sent what to whom.
func (s *Scanner) MaskText(data []byte) ([]byte, bool) { return s.mask(data, Medium, maskableText) }

func (s *Scanner) mask(data []byte, min Confidence, maskable func(*Finding) bool) ([]byte, bool) {
	if len(data) == 0 {
		return data, false
	}
	res := s.ScanBytes(data, ObjectMeta{Raw: true, MinConfidence: min})
	var out []byte
	for i := range res.Findings {
		f := &res.Findings[i]
		if !maskable(f) || f.End > uint64(len(data)) || f.Start >= f.End {
			continue
		}
		if out == nil {
			out = bytes.Clone(data)
		}
		start, end := int(f.Start), int(f.End)
		secret := strings.HasPrefix(f.Detector, "sec.") || strings.HasPrefix(f.Detector, "cred.")
		if f.Detector == "sec.private-key" {
			end = keyEnd(data, end)
		} else if secret {
			// A token longer than the detector looks at goes on.
			end += csAny.run(data[end:], 8192)
		}
		show := 0
		if f.Path == "" && len(f.Masked) > 8 {
			show = len(f.Masked) - 8
		}
		for k := end - 1; k >= start; k-- {
			if !isWordByte(data[k]) && !secret {
				continue
			}
			if show > 0 {
				show--
				continue
			}
			out[k] = '*'
		}
	}
	if out = maskGlued(data, out); out == nil {
		return data, false
	}
	return out, true
}

func maskableText(f *Finding) bool { return maskable(f) && !strings.HasPrefix(f.Detector, "pii.") }

func maskable(f *Finding) bool {
	for _, p := range [...]string{"mark.", "label.", "ip.", "file.", "bulk.", "pii.ip", "pii.mac", "pii.url"} {
		if strings.HasPrefix(f.Detector, p) {
			return false
		}
	}
	if f.Confidence >= Medium {
		return true
	}
	return f.Detector == "pay.card" || f.Detector == "pay.iban" || f.Detector == "pay.track" || strings.HasPrefix(f.Detector, "sec.") || strings.HasPrefix(f.Detector, "cred.")
}

// keyEnd gives where a private key's armour ends: its END line, or the end of
// what may belong to it.
func keyEnd(data []byte, from int) int {
	if i := bytes.Index(data[from:], []byte("-----END")); i >= 0 && i < 32<<10 {
		return from + i
	}
	n := from
	for n < len(data) && (csB64.has(data[n]) || data[n] == '\n' || data[n] == '\r' || data[n] == '\\' || data[n] == ' ') {
		n++
	}
	return n
}
