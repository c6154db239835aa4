package events

import (
	"net/netip"
	"strconv"
	"strings"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// AppendOCSF writes.
const OCSFVersion = "1.8.0"

// OCSF class identifiers that events map to.
const (
	ocsfDetection    = 2004
	ocsfDataSecurity = 2006
	ocsfNetwork      = 4001
)

// InOCSF reports whether events of a type have a form in OCSF.
func InOCSF(typ string) bool {
	switch typ {
	case "alert", "dlp", "flow", "drop":
		return true
	}
	return false
}

// AppendOCSF appends e as one OCSF object: alerts as Detection Finding (2004),
// dlp events as Data Security Finding (2006), flows and drops as Network
// Activity (4001). For other types, which OCSF readers get no value from, it
// returns dst unchanged.
func AppendOCSF(dst []byte, e *Event) []byte {
	switch {
	case e.Type == "alert" && e.Alert != nil:
		return appendDetection(dst, e)
	case e.Type == "dlp" && e.DLP != nil:
		return appendDataSecurity(dst, e)
	case e.Type == "flow" && e.Flow != nil, e.Type == "drop" && e.Drop != nil:
		return appendNetwork(dst, e)
	}
	return dst
}

// appendClass begins an object with the attributes that every class requires.
func appendClass(dst []byte, e *Event, class, activity int64, severity int64) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "activity_id", activity)
	dst = appendInt(dst, "category_uid", class/1000)
	dst = appendInt(dst, "class_uid", class)
	dst = appendInt(dst, "type_uid", class*100+activity)
	dst = appendInt(dst, "severity_id", severity)
	dst = appendInt(dst, "time", e.Time/1e6)
	dst = append(appendKey(dst, "metadata"), `{"version":"`+OCSFVersion+`","product":{"name":"Sluice","vendor_name":"Sluice"}`...)
	if class < 3000 || e.Drop != nil {
		dst = append(dst, `,"profiles":["security_control"]}`...)
	} else {
		dst = append(dst, '}')
	}
	return dst
}

// appendAction writes the security_control profile's verdict.
func appendAction(dst []byte, action, disposition int64) []byte {
	dst = appendInt(dst, "action_id", action)
	return appendInt(dst, "disposition_id", disposition)
}

// OCSF dispositions (security_control profile).
const (
	dispAllowed     = 1
	dispBlocked     = 2
	dispQuarantined = 3
	dispDropped     = 6
	dispDetected    = 15
	dispReset       = 21
)

// OCSF actions.
const (
	actAllowed  = 1
	actDenied   = 2
	actObserved = 3
)

func appendDetection(dst []byte, e *Event) []byte {
	a := e.Alert
	// EVE's severity counts down from 1; OCSF's goes up to 6.
	severity := int64(2)
	switch a.Severity {
	case 1:
		severity = 4
	case 2:
		severity = 3
	case 0:
		severity = 1
	}
	dst = appendClass(dst, e, ocsfDetection, 1, severity)
	dst = appendTrue(dst, "is_alert", true)
	switch {
	case a.Action == "blocked" && (a.Enforced == nil || *a.Enforced):
		dst = appendAction(dst, actDenied, dispBlocked)
	default:
		dst = appendAction(dst, actObserved, dispDetected)
	}
	dst = append(appendKey(dst, "finding_info"), '{')
	dst = appendStr(dst, "uid", findingUID(e, uint64(a.SignatureID)))
	dst = appendStr(dst, "title", a.Signature)
	if a.Category != "" {
		dst = appendStrs(dst, "types", []string{a.Category})
	}
	dst = append(appendKey(dst, "analytic"), '{')
	dst = appendStr(dst, "name", a.Signature)
	dst = appendInt(dst, "type_id", 1) // rule
	dst = appendStr(dst, "uid", strconv.FormatUint(uint64(a.GID), 10)+":"+strconv.FormatUint(uint64(a.SignatureID), 10)+":"+strconv.FormatUint(uint64(a.Rev), 10))
	dst = append(dst, '}', '}')
	dst = append(appendKey(dst, "evidences"), '[', '{')
	dst = appendConnection(dst, e)
	return append(dst, '}', ']', '}')
}

func appendDataSecurity(dst []byte, e *Event) []byte {
	d := e.DLP
	severity, confidentiality := int64(1), int64(0)
	switch strings.ToLower(d.Level) {
	case "public":
		confidentiality = 1
	case "internal":
		severity, confidentiality = 2, 5
	case "confidential":
		severity, confidentiality = 4, 2
	case "restricted":
		severity, confidentiality = 5, 6
	}
	dst = appendClass(dst, e, ocsfDataSecurity, 1, severity)
	dst = appendTrue(dst, "is_alert", d.Action != "allow")
	switch {
	case d.Action == "allow":
		dst = appendAction(dst, actAllowed, dispAllowed)
	case d.Enforced && d.Action == "quarantine":
		dst = appendAction(dst, actDenied, dispQuarantined)
	case d.Enforced && d.Action == "reset":
		dst = appendAction(dst, actDenied, dispReset)
	case d.Enforced && d.Action == "block":
		dst = appendAction(dst, actDenied, dispBlocked)
	default:
		dst = appendAction(dst, actObserved, dispDetected)
	}
	dst = append(appendKey(dst, "finding_info"), '{')
	dst = appendStr(dst, "uid", findingUID(e, e.TxID)+"-"+d.PolicyRule)
	dst = appendStr(dst, "title", "Sensitive data in "+d.Channel)
	dst = appendStrs(dst, "types", detectorNames(d.Findings))
	dst = append(dst, '}')
	dst = append(appendKey(dst, "data_security"), '{')
	dst = appendInt(dst, "confidentiality_id", confidentiality)
	dst = appendStr(dst, "confidentiality", d.Level)
	dst = appendInt(dst, "data_lifecycle_state_id", 2) // in transit
	dst = appendInt(dst, "detection_system_id", 2)     // DLP gateway
	if len(d.Findings) > 0 && len(d.Findings[0].Masked) > 0 {
		dst = appendStr(dst, "pattern_match", d.Findings[0].Masked[0])
	}
	dst = append(appendKey(dst, "policy"), '{')
	dst = appendStr(dst, "name", d.PolicyRule)
	dst = append(dst, '}', '}')
	dst = append(appendKey(dst, "file"), '{')
	dst = appendStr(dst, "name", d.Object.Name)
	dst = appendInt(dst, "type_id", 1) // regular file
	dst = appendStrOmit(dst, "mime_type", d.Object.Type)
	dst = appendUint(dst, "size", d.Object.Size)
	dst = appendStrOmit(dst, "path", d.Object.Path)
	if d.Object.SHA256 != "" {
		dst = append(appendKey(dst, "hashes"), `[{"algorithm_id":3`...)
		dst = appendStr(dst, "value", d.Object.SHA256)
		dst = append(dst, '}', ']')
	}
	dst = append(dst, '}')
	dst = appendEndpoints(dst, e)
	return append(dst, '}')
}

func appendNetwork(dst []byte, e *Event) []byte {
	activity := int64(6) // traffic
	switch {
	case e.Drop != nil:
		activity = 5 // refuse
	case e.TCP != nil && e.TCP.RST:
		activity = 3 // reset
	case e.Flow.State == "closed":
		activity = 2 // close
	}
	dst = appendClass(dst, e, ocsfNetwork, activity, 1)
	if e.Drop != nil {
		dst = appendAction(dst, actDenied, dispDropped)
		dst = appendStrOmit(dst, "status_detail", e.Drop.Reason)
		if e.Drop.Count > 0 {
			dst = appendUint(dst, "count", e.Drop.Count)
		}
	}
	dst = appendConnection(dst, e)
	if f := e.Flow; f != nil {
		dst = append(appendKey(dst, "traffic"), '{')
		dst = appendUint(dst, "packets_out", f.PktsToServer)
		dst = appendUint(dst, "packets_in", f.PktsToClient)
		dst = appendUint(dst, "bytes_out", f.BytesToServer)
		dst = appendUint(dst, "bytes_in", f.BytesToClient)
		dst = appendUint(dst, "packets", f.PktsToServer+f.PktsToClient)
		dst = appendUint(dst, "bytes", f.BytesToServer+f.BytesToClient)
		dst = append(dst, '}')
		if f.Age != nil {
			dst = appendInt(dst, "duration", *f.Age*1000)
		}
	}
	return append(dst, '}')
}

// appendConnection writes both ends and connection_info.
func appendConnection(dst []byte, e *Event) []byte {
	dst = appendEndpoints(dst, e)
	proto, ok := protoNumber(e.Proto)
	if !ok {
		return dst
	}
	dst = append(appendKey(dst, "connection_info"), '{')
	dst = appendInt(dst, "protocol_num", int64(proto))
	dst = appendStr(dst, "protocol_name", strings.ToLower(e.Proto))
	if e.IPVersion != 0 {
		dst = appendInt(dst, "protocol_ver_id", int64(e.IPVersion))
	}
	dst = appendInt(dst, "direction_id", 0)
	if e.FlowID != 0 {
		dst = appendStr(dst, "uid", strconv.FormatUint(e.FlowID, 10))
	}
	return append(dst, '}')
}

func appendEndpoints(dst []byte, e *Event) []byte {
	end := func(key string, ip netip.Addr, port uint16) {
		if !ip.IsValid() {
			return
		}
		dst = append(appendKey(dst, key), '{')
		dst = appendStr(dst, "ip", ip.String())
		if e.HasPorts {
			dst = appendUint(dst, "port", uint64(port))
		}
		dst = append(dst, '}')
	}
	end("src_endpoint", e.Src, e.SrcPort)
	end("dst_endpoint", e.Dst, e.DstPort)
	return dst
}

// findingUID names a finding so that the same finding of a replayed capture has
// the same name.
func findingUID(e *Event, what uint64) string {
	return strconv.FormatUint(e.FlowID, 10) + "-" + strconv.FormatUint(uint64(e.Time), 10) + "-" + strconv.FormatUint(uint64(e.Seq), 10) + "-" + strconv.FormatUint(what, 10)
}

func detectorNames(fs []DLPFinding) []string {
	names := make([]string, len(fs))
	for i := range fs {
		names[i] = fs[i].Detector
	}
	return names
}
